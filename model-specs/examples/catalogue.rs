//! Writes the catalogue as the text that the browser planner fetches: `cargo run -p kvplan-model-specs --example catalogue`.

fn main() {
    print!("{}", kvplan_model_specs::written());
}
