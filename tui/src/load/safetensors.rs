//! Safetensors: exact tensor totals from the headers, the cache from the `config.json` beside them.

use super::source::FileSource;
use super::{Loaded, about, file, unreadable};
use kvplan_core::error::PlanError;
use kvplan_core::spec::safetensors::{self, Header, Index, needs_config};
use kvplan_core::spec::tensors::TensorTable;
use kvplan_core::spec::{ModelSpec, SpecFile};
use kvplan_core::unit::Bytes;
use kvplan_core::weights::{TableUse, of_file};
use std::borrow::Cow;
use std::path::Path;

/// One file.
pub(super) fn import(path: &Path) -> Loaded {
    let table = header(path)?.tensors;
    with_config(path, &table)
}

/// The index of a sharded model; shards that are not beside it are left out, and said to be.
pub(super) fn import_index(path: &Path, bytes: &[u8]) -> Loaded {
    let index = Index::parse(bytes).map_err(|e| about(path, &e.to_string()))?;
    let names: Vec<String> = index.shards().into_iter().map(str::to_owned).collect();
    let present = names.iter().all(|name| path.with_file_name(name).is_file());
    if !present {
        let config = path.with_file_name("config.json");
        return if config.is_file() { file(&config) } else { Err(needs_config()) };
    }
    let mut headers = Vec::new();
    for name in names {
        let read = header(&path.with_file_name(&name))?;
        headers.push((name, read));
    }
    let table = index.merge(headers).map_err(|e| about(path, &e.to_string()))?;
    with_config(path, &table)
}

/// What the tensors of one file weigh.
pub(super) fn bytes(path: &Path) -> Option<Bytes> {
    header(path).ok().map(|header| header.tensors.bytes())
}

/// What the tensors beside a config weigh: those of its index where all of them are there, or of the one file.
pub(super) fn bytes_beside(config: &Path) -> Option<Bytes> {
    let index = config.with_file_name("model.safetensors.index.json");
    let Ok(text) = std::fs::read(index) else {
        return bytes(&config.with_file_name("model.safetensors"));
    };
    let index = Index::parse(&text).ok()?;
    let shards = index.shards().into_iter().map(|name| bytes(&config.with_file_name(name)));
    shards.map(|bytes| bytes.map(Bytes::get)).sum::<Option<u64>>().map(Bytes::new)
}

fn header(path: &Path) -> Result<Header, PlanError> {
    let mut source = FileSource::open(path).map_err(|e| unreadable(path, &e))?;
    safetensors::read(&mut source).map_err(|e| about(path, &e.to_string()))
}

/// The spec of the config beside the tensors, with what the tensors add to it.
fn with_config(path: &Path, table: &TensorTable) -> Loaded {
    let bytes = table.bytes().get();
    let config = path.with_file_name("config.json");
    if !config.is_file() {
        let mut error = needs_config();
        error.message = format!("{} tensors, {bytes} bytes; {}", table.tensors().len(), error.message);
        return Err(error);
    }
    let spec = file(&config)?;
    let mut record: SpecFile = spec.record().clone();
    record.assumptions.push(format!(
        "layers and heads are those of {}; the tensors read weigh {bytes} bytes",
        config.display()
    ));
    let used = TableUse {
        layers: u64::try_from(spec.layer_count()).ok(),
        experts_used: record.shape.as_ref().and_then(|shape| shape.experts_used),
    };
    let weights = of_file(table, used)?;
    Ok(Cow::Owned(ModelSpec::try_from(record)?.with_weights(weights)))
}
