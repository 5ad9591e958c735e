//! What a person sets: one column of fields, each at its own place with its own error.

mod beside;
mod cache;
mod choice;
mod context;
mod engine;
mod machine;
mod model;
mod number;
mod weights;

use crate::receive::Inbox;
use crate::store::Store;
use kvplan_core::planner::Field;
use leptos::prelude::*;

/// All inputs, in the order of the road: model, machine, engine, cache, length.
pub(crate) fn inputs(store: Store, inbox: Inbox, example: bool) -> AnyView {
    view! {
        <form class="inputs" aria-label="Inputs" on:submit=|event| event.prevent_default()>
            {model::model(store, inbox)}
            {weights::weights(store)}
            {machine::machine(store, example)}
            {engine::engine(store)}
            {cache::cache(store)}
            {context::context(store)}
            <fieldset>
                <legend>"Conversations"</legend>
                <p class="field">
                    <label for=number::id(Field::Sequences) class="hidden">"Conversations at once"</label>
                    {number::bare(store, Field::Sequences, "1")}
                    {number::largest(store, Field::Sequences)}
                </p>
                {number::number(store, Field::TypicalContext, "typical length", "as long")}
                {number::number(store, Field::P95Context, "19 of 20 below", "not given")}
                {number::number(store, Field::SharedPrefix, "shared beginning", "0")}
                {number::number(store, Field::Sessions, "sessions to serve", "not given")}
            </fieldset>
            {beside::beside(store)}
            <details>
                <summary>"Draft layers, split, offload"</summary>
                {number::number(store, Field::Mtp, "built-in draft layers", "0")}
                {number::number(store, Field::GpuLayers, "layers on the GPU (-ngl)", "all")}
                {number::number(store, Field::ExpertLayersOnHost, "layers with experts in RAM", "0")}
                {number::number(store, Field::TensorParallel, "tensor parallel", "1")}
                {number::number(store, Field::PipelineParallel, "pipeline parallel", "1")}
                {number::number(store, Field::DataParallel, "replicas", "1")}
                {number::number(store, Field::DecodeContextParallel, "decode-context parallel", "1")}
                {number::number(store, Field::EncoderTokens, "encoder or image tokens", "0")}
            </details>
        </form>
    }
    .into_any()
}
