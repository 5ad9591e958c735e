use super::*;
use kvplan_core::planner::view::curve::Sample;

fn curve(capacity: Option<u64>) -> Curve {
    let samples =
        (0..=16).map(|n| Sample { tokens: n * 16_384, bytes: (16 << 30) + n * (1 << 30) }).collect();
    Curve { samples, device: Some("RTX 5090".to_owned()), capacity, longest: 262_144, limit: Some(262_144) }
}

fn chart() -> Chart {
    Chart {
        curve: curve(Some(30 << 30)),
        pinned: None,
        ghost: None,
        context: 131_072,
        most: Some(229_376),
        view: View::default(),
        scale: Scale::Linear,
    }
}

#[test]
fn a_pixel_is_the_tokens_that_are_drawn_there() {
    let frame = chart().frame((600, 300));
    for tokens in [0, 1 << 10, 65_536, 131_072, 262_144] {
        let back = frame.tokens_at(frame.x(tokens));
        let pixel = frame.longest / 500;
        assert!(back.abs_diff(tokens) <= pixel, "{tokens} comes back as {back}");
    }
    for bytes in [frame.low, 20 << 30, 30 << 30, frame.high] {
        let back = frame.bytes_at(frame.y(bytes));
        assert!(back.abs_diff(bytes) <= (frame.high - frame.low) / 200, "{bytes} comes back as {back}");
    }
}

#[test]
fn on_a_scale_of_doublings_a_pixel_is_what_is_drawn_there_too() {
    let chart = Chart { scale: Scale::Doublings, ..chart() };
    let frame = chart.frame((600, 300));
    for tokens in [256, 1 << 10, 65_536, 131_072, 262_144] {
        let back = frame.tokens_at(frame.x(tokens));
        assert!(back.abs_diff(tokens) <= tokens / 50, "{tokens} comes back as {back}");
    }
    let svg = chart.svg((600, 300), &Ink::LIGHT).unwrap();
    for words in ["256", "1k", "64k", "256k", "131,072 tokens"] {
        assert!(svg.contains(&format!("\n{words}\n")), "{words}: {svg}");
    }
}

#[test]
fn what_is_pulled_beyond_an_edge_stays_on_it() {
    let frame = chart().frame((600, 300));
    assert_eq!((frame.tokens_at(-50), frame.tokens_at(5000)), (0, frame.longest));
    assert_eq!((frame.bytes_at(5000), frame.bytes_at(-50)), (frame.low, frame.high));
}

#[test]
fn a_drawing_without_room_or_figures_is_still_one() {
    let empty = Curve { samples: Vec::new(), device: None, capacity: None, longest: 0, limit: None };
    let chart = Chart { curve: empty, most: None, context: 0, ..chart() };
    for size in [(1, 1), (40, 20), (600, 300)] {
        assert!(chart.svg(size, &Ink::DARK).unwrap().starts_with("<svg"));
    }
}

#[test]
fn the_picture_says_where_the_plan_stands_and_where_memory_ends() {
    let svg = chart().svg((600, 300), &Ink::LIGHT).unwrap();
    for words in ["131,072 tokens", "out at 229,376", "RTX 5090, usable", "GiB", "128k"] {
        assert!(svg.contains(words), "{words}: {svg}");
    }
}

#[test]
fn plan_a_and_a_preview_are_dashed_and_the_plan_is_not() {
    let lines = |chart: &Chart| chart.svg((600, 300), &Ink::LIGHT).unwrap().matches("<polyline").count();
    let alone = chart();
    let pinned = Chart { pinned: Some(curve(None)), ..chart() };
    assert!(lines(&pinned) > lines(&alone) + 5);
}

#[test]
fn a_curve_far_above_the_capacity_leaves_the_plot_and_the_capacity_stays_in_it() {
    let chart = Chart { curve: curve(Some(5 << 30)), most: None, ..chart() };
    let frame = chart.frame((600, 300));
    assert!(frame.low < 5 << 30 && frame.high < 24 << 30, "{frame:?}");
    let svg = chart.svg((600, 300), &Ink::LIGHT).unwrap();
    assert!(svg.contains("131,072 tokens ↑"), "it stands above: {svg}");
    let thick =
        svg.lines().find(|line| line.contains("<polyline") && line.contains("stroke-width=\"2\"")).unwrap();
    let points = thick.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
    let last: Vec<i32> =
        points.split_whitespace().last().unwrap().split(',').map(|n| n.parse().unwrap()).collect();
    assert!(last[0] < frame.right - 100 && last[1] == frame.top, "{points}");
}
