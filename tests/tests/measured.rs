//! The quality figures that planners show are those that were measured.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its data has failed")]

use kvplan_core::codec::Codec;
use kvplan_core::codec::measured::MEASURED;
use kvplan_tests::capture::file;

fn rows(name: &str) -> Vec<Vec<String>> {
    let csv = String::from_utf8(file(name).unwrap()).unwrap();
    csv.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn divergences_are_the_engines_as_it_runs_by_default() {
    let rows = rows("engine_quality.csv");
    let mut compared = 0;
    for measured in MEASURED.iter() {
        let name = measured.codec.name();
        // `off` switches the rotation off that the engine does by itself.
        let row = rows.iter().find(|row| row[1] == name && row[2] == name && row[3] != "off");
        assert_eq!(measured.kl, row.map(|row| row[9].parse().unwrap()), "{name}");
        compared += usize::from(row.is_some());
    }
    assert_eq!(compared, 8);
}

#[test]
fn output_errors_are_the_means_of_the_four_captured_layers() {
    let rows = rows("offline_quality.csv.gz");
    // Three schemes were measured under another name than the codec's.
    let other_names = [
        (Codec::Int8PerTokenHead, "int8_per_token"),
        (Codec::Fp8PerTokenHead, "fp8_e4m3_per_token"),
        (Codec::Fp8E4m3, "fp8_e4m3_scale1"),
    ];
    let scheme = |codec: Codec| {
        other_names.iter().find(|(of, _)| *of == codec).map_or_else(|| codec.name(), |(_, name)| *name)
    };
    for measured in MEASURED.iter() {
        let Some(output) = measured.output else { continue };
        let of: Vec<f64> = rows
            .iter()
            .filter(|row| row[0] == "smollm2-135m" && row[2] == scheme(measured.codec) && row[3] != "plain")
            .map(|row| row[9].parse().unwrap())
            .collect();
        assert_eq!(of.len(), 4, "{}", measured.codec.name());
        let mean = of.iter().sum::<f64>() / 4.0;
        assert!((output / mean - 1.0).abs() < 1e-5, "{}: {output} for {mean}", measured.codec.name());
    }
}
