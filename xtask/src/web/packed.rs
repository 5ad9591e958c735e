//! Compressed twins, made once here instead of by the server at every request.

use std::io::Write as _;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Placed;

/// A file and its twins; a twin that is not smaller is left out.
pub(super) struct Packed {
    /// The name in `web/page`, or a module's.
    pub(super) logical: String,
    /// The name in the bundle.
    pub(super) name: String,
    plain: Vec<u8>,
    brotli: Option<Vec<u8>>,
    gzip: Option<Vec<u8>>,
}

impl Packed {
    fn new(file: &Placed) -> Result<Self> {
        let smaller = |bytes: Vec<u8>| Some(bytes).filter(|bytes| bytes.len() < file.bytes.len());
        Ok(Self {
            logical: file.logical.clone(),
            name: file.name.clone(),
            brotli: smaller(brotli(&file.bytes)?),
            gzip: smaller(gzip(&file.bytes)?),
            plain: file.bytes.clone(),
        })
    }

    /// Every form with the extension it is stored under.
    pub(super) fn forms(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let twins = [(".br", &self.brotli), (".gz", &self.gzip)];
        let twins = twins.into_iter().filter_map(|(extension, twin)| Some((extension, twin.as_deref()?)));
        std::iter::once(("", self.plain.as_slice())).chain(twins)
    }

    pub(super) fn plain_bytes(&self) -> usize {
        self.plain.len()
    }

    /// Bytes sent to a browser that takes brotli; all do.
    pub(super) fn brotli_bytes(&self) -> usize {
        self.brotli.as_ref().map_or(self.plain.len(), Vec::len)
    }

    pub(super) fn gzip_bytes(&self) -> usize {
        self.gzip.as_ref().map_or(self.plain.len(), Vec::len)
    }
}

/// Compresses every file, the two halves of the list at once: it is minutes' worth of work for one core in a debug build.
pub(super) fn all(files: &[Placed]) -> Result<Vec<Packed>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = files.iter().map(|file| scope.spawn(move || Packed::new(file))).collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a compressor stopped"))));
        joined.collect()
    })
}

fn brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    let params = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut out, &params)?;
    Ok(out)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn packed(bytes: Vec<u8>) -> Packed {
        Packed::new(&Placed { logical: "a".into(), name: "a".into(), bytes }).unwrap()
    }

    #[test]
    fn both_twins_unpack_to_the_file() {
        let file = packed("kvplan ".repeat(1000).into_bytes());
        let mut unpacked = Vec::new();
        brotli::Decompressor::new(file.brotli.as_deref().unwrap(), 4096).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, file.plain);
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(file.gzip.as_deref().unwrap()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, file.plain);
        assert!(file.brotli_bytes() < file.plain_bytes() / 10);
    }

    #[test]
    fn what_does_not_get_smaller_has_no_twin() {
        let file = packed(vec![7]);
        assert_eq!(file.forms().count(), 1);
        assert_eq!((file.brotli_bytes(), file.gzip_bytes()), (1, 1));
    }
}
