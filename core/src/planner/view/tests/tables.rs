//! Alternatives, held to the plans that they stand for.

use super::*;

fn cells(table: &Table) -> impl Iterator<Item = &table::Cell> {
    table.rows.iter().flat_map(|row| &row.cells)
}

#[test]
fn a_cell_of_the_largest_context_is_a_plan_that_fits_and_no_longer_one_does() {
    let request = example();
    let (model, _) = answer(&request);
    let table = table(&model, &request, of_lens(Lens::Weights));
    assert_eq!(table.rows.iter().map(|row| row.label.as_str()).next(), Some("BF16"));
    let mut tried = 0;
    for cell in cells(&table) {
        let Some(taken) = &cell.request else { continue };
        let plan = plan_model(&model, taken).unwrap();
        assert!(matches!(plan.fit.state, FitState::Fits | FitState::Barely), "{cell:?}");
        assert_eq!(text::grouped(plan.context.get()), cell.text);
        let longer = Request { context: taken.context.map(|n| n + 1), ..(**taken).clone() };
        let over = plan_model(&model, &longer).unwrap().fit.state == FitState::Over;
        assert!(over || cell.mark == Mark::Limit || cell.mark == Mark::Barely, "{cell:?}");
        tried += 1;
    }
    assert!(tried >= 20, "{tried} cells");
}

#[test]
fn the_table_shows_what_is_set_once_and_what_each_cache_type_was_measured_to_cost() {
    let request = example();
    let (model, _) = answer(&request);
    for lens in Lens::iter() {
        let table = table(&model, &request, of_lens(lens));
        let current = table.rows.iter().filter(|row| row.cells.iter().any(|cell| cell.current)).count();
        assert_eq!(current, 1, "{lens}");
    }
    let table = table(&model, &request, of_lens(Lens::Weights));
    // llama.cpp on SmolLM2-135M: mean KL divergence 0.0001967, 0.0069726, 0.0351696.
    assert_eq!(table.quality.unwrap(), ["exact", ".0002", ".0070", ".0352"]);
}

#[test]
fn methods_stand_by_the_bits_they_store_not_those_they_claim() {
    let request = example();
    let (model, _) = answer(&request);
    let table = table(&model, &request, of_lens(Lens::Methods));
    let bits: Vec<f64> = table.rows.iter().map(|row| row.cells[0].text.parse().unwrap()).collect();
    assert!(bits.is_sorted_by(|a, b| a >= b));
    let row = |name: &str| table.rows.iter().find(|row| row.label == name).unwrap();
    assert_eq!((row("q4_0").cells[0].text.as_str(), row("kivi2").cells[0].text.as_str()), ("4.5", "3"));
    assert!(row("kivi2").cells[3].reason.as_ref().unwrap().contains("llama.cpp"));
}

#[test]
fn an_engine_that_cannot_be_had_says_why() {
    let request = Request { context: Some(1_000), ..example() };
    let (model, _) = answer(&request);
    let table = table(&model, &request, of_lens(Lens::Engines));
    assert_eq!(table.rows.len(), EngineName::iter().count());
    for cell in cells(&table).filter(|cell| cell.request.is_none()) {
        assert!(cell.reason.as_ref().is_some_and(|reason| !reason.is_empty()), "{cell:?}");
    }
}
