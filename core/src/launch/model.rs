//! Models by the names that launchers use: a repository, or a GGUF file.

use crate::plan::{Extras, ModelRef, Request, WeightsRequest, resolve_model};
use crate::spec::{ModelSpec, catalog};
use crate::weights::WeightFormat;

/// The model a repository or file name stands for: the catalogued one of that name, less a file's quantization and
/// part number; the text itself where there is none.
#[must_use]
pub fn named(text: &str) -> ModelRef {
    ModelRef::Id(catalog::find(text).map_or_else(|_| text.to_owned(), |spec| spec.id().to_owned()))
}

/// The repository the model's facts come from where it names the model again, else its id.
pub(super) fn repository(model: &ModelSpec) -> String {
    let source = model.record().source.as_deref().unwrap_or_default();
    let first = source.split_whitespace().next().unwrap_or_default();
    let same = first.contains('/') && catalog::find(first).is_ok_and(|found| found.id() == model.id());
    if same && !model.id().is_empty() { first.to_owned() } else { id_or_name(model) }
}

/// The repository of a draft model, where the catalogue finds it again by that name.
pub(super) fn repository_of(draft: &ModelRef) -> Option<String> {
    let name = repository(&*resolve_model(draft).ok()?);
    resolve_model(&named(&name)).is_ok().then_some(name)
}

/// What of `extras` an engine of repositories is told: the draft model.
pub(super) fn drafts(request: &Request) -> Option<Extras> {
    let draft = request.extras.as_ref()?.draft.as_ref()?;
    Some(Extras { draft: Some(named(&repository_of(draft)?)), ..Extras::default() })
}

/// The file a GGUF of the model would be called, in the format that is asked for.
pub(super) fn gguf_file(model: &ModelSpec, weights: Option<&WeightsRequest>) -> String {
    let is_it = |name: &str| catalog::find(name).is_ok_and(|found| found.id() == model.id());
    let name = if is_it(model.name()) { model.name().to_owned() } else { id_or_name(model) };
    let format = weights.and_then(|asked| asked.format().ok().flatten()).map(WeightFormat::in_gguf);
    match format {
        Some(format @ WeightFormat::Gguf(_)) => format!("{name}-{}.gguf", format.name()),
        Some(WeightFormat::Plain(_) | WeightFormat::Packed(_)) | None => format!("{name}.gguf"),
    }
}

fn id_or_name(model: &ModelSpec) -> String {
    let id = model.id();
    if id.is_empty() { model.name().to_owned() } else { id.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Qwen/Qwen3-8B", "qwen3-8b")]
    #[case("/models/Qwen3-8B-Q4_K_M.gguf", "qwen3-8b")]
    #[case("C:\\models\\Qwen3-8B-UD-Q4_K_XL.gguf", "qwen3-8b")]
    #[case("unsloth/Qwen3-8B-GGUF:Q4_K_M", "qwen3-8b")]
    #[case("bartowski/Qwen_Qwen3-8B-GGUF", "qwen3-8b")]
    #[case("gpt-oss-120b-mxfp4-00001-of-00003.gguf", "gpt-oss-120b")]
    #[case("ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b")]
    #[case("nobody/knows-this", "nobody/knows-this")]
    fn names_lead_to_the_catalogue(#[case] text: &str, #[case] id: &str) {
        assert_eq!(named(text), ModelRef::Id(id.to_owned()));
    }

    #[test]
    fn every_catalogued_model_is_found_by_the_names_that_are_written() {
        for spec in catalog::all() {
            let spec = spec.unwrap();
            let weights = WeightsRequest::Format("Q4_K_M".to_owned());
            for name in [repository(spec), gguf_file(spec, None), gguf_file(spec, Some(&weights))] {
                assert_eq!(named(&name), ModelRef::Id(spec.id().to_owned()), "{name}");
            }
        }
    }
}
