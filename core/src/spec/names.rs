//! What the name of a repository, a file or a directory may be catalogued as.
//!
//! A copy is called after its model, with who made it in front and how its weights are kept behind. Neither changes the
//! cache; anything else in a name may, and is left in it.

/// Words behind a name that say how weights are kept, or what a model was trained to do.
const WORDS: [&str; 47] = [
    "ud",
    "f16",
    "f32",
    "bf16",
    "fp16",
    "fp8",
    "fp4",
    "mxfp4",
    "mxfp4_moe",
    "nvfp4",
    "awq",
    "gptq",
    "int4",
    "int8",
    "2bit",
    "3bit",
    "4bit",
    "5bit",
    "6bit",
    "8bit",
    "w4a16",
    "w8a8",
    "w8a16",
    "w4a8",
    "w4a4",
    "g128",
    "gs128",
    "bnb",
    "mlx",
    "dwq",
    "i1",
    "imat",
    "imatrix",
    "exl2",
    "exl3",
    "gguf",
    "qat",
    "autoround",
    "quantized",
    "dynamic",
    "block",
    "instruct",
    "it",
    "chat",
    "hf",
    "base",
    "abliterated",
];

/// Beginnings of llama.cpp's block formats.
const FORMATS: [&str; 12] =
    ["q2_", "q3_", "q4_", "q5_", "q6_", "q8_", "iq1_", "iq2_", "iq3_", "iq4_", "tq1_", "tq2_"];

/// What to look up, the most specific first, in lower case.
pub(super) fn readings(text: &str) -> Vec<String> {
    let text = text.trim_end_matches(['/', '\\']).to_ascii_lowercase();
    let base = base(&text);
    // `-hf user/repository:quantization`.
    let untagged = base.split(':').next().unwrap_or(base);
    let mut found = vec![text.clone(), base.to_owned(), untagged.to_owned()];
    found.extend(text.rsplit_once(':').map(|(repository, _)| repository.to_owned()));
    let mut stem = untagged.strip_suffix(".gguf").unwrap_or(untagged);
    // `-00001-of-00003`.
    if let Some((rest, _)) = stem.rsplit_once("-of-")
        && let Some((rest, number)) = rest.rsplit_once('-')
        && number.chars().all(|c| c.is_ascii_digit())
    {
        stem = rest;
    }
    found.push(stem.to_owned());
    while let Some((rest, last)) = stem.rsplit_once(['-', '.']) {
        if !WORDS.contains(&last) && !FORMATS.iter().any(|start| last.starts_with(start)) {
            break;
        }
        stem = rest;
        found.push(stem.to_owned());
    }
    // Repositories of quantized copies put the vendor in front (`Qwen_Qwen3-8B`), and Meta itself.
    for own in [stem.split_once('_').map(|(_, rest)| rest), stem.strip_prefix("meta-")] {
        found.extend(own.map(str::to_owned));
    }
    found
}

/// The part of a path that names the model: its end, or of the Hugging Face cache's `models--vendor--name/snapshots/…`
/// the name.
fn base(text: &str) -> &str {
    if let Some((_, cached)) = text.split_once("models--") {
        let name = cached.split(['/', '\\']).next().unwrap_or(cached);
        return name.rsplit("--").next().unwrap_or(name);
    }
    let mut parts = text.rsplit(['/', '\\']);
    let last = parts.next().unwrap_or(text);
    // Kaggle and others put the number of a version last.
    let version = last.chars().all(|c| c.is_ascii_digit());
    parts.next().filter(|_| version).unwrap_or(last)
}
