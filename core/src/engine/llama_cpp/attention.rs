//! Attention caches: one, base and windowed, or main and indexer (`llama_kv_cache`, `_iswa`, `_dsa`).

use super::context::Context;
use super::report::CacheReport;
use super::rotation::HeadWidth;
use super::rows::{Row, Rows, counts_empty_layers};
use super::rules;
use super::types::CacheType;
use crate::cache::{Retention, Role};
use crate::engine::{Carriers, Growth, Scenario, StoreLine};
use crate::error::PlanError;
use crate::explain::{Basis, Rule, Term};
use crate::plan::gcd;
use crate::spec::ModelSpec;
use crate::spec::gguf::Arch;
use crate::unit::{Bytes, Tokens};

/// Lines and figures, as they are collected.
pub(super) struct Caches<'a> {
    pub(super) cx: &'a Context,
    pub(super) scenario: &'a Scenario,
    pub(super) basis: Basis,
    pub(super) lines: Vec<StoreLine>,
    pub(super) reports: Vec<CacheReport>,
    /// Head widths of K and V in the first two caches, which are those that can be rotated.
    pub(super) rotations: [(HeadWidth, HeadWidth); 2],
    pub(super) terms: Vec<Term>,
    /// What grows: a law and the bytes that one of its entries takes in all layers.
    pub(super) laws: Vec<(Retention, Bytes)>,
}

/// One tensor of equal layers.
pub(super) struct Tensor {
    pub(super) role: Role,
    pub(super) ty: CacheType,
    pub(super) layers: u64,
    /// Which they are.
    pub(super) carriers: Carriers,
    /// What the tokens need per entry.
    pub(super) needed: Row,
    /// Elements llama.cpp keeps per cell.
    pub(super) kept: u64,
    pub(super) law: Retention,
    pub(super) rule: &'static Rule,
}

impl Caches<'_> {
    /// Opens a cache; its index.
    pub(super) fn open(&mut self, name: &'static str, cells: u64, streams: u64) -> usize {
        self.reports.push(CacheReport {
            name,
            cells,
            streams,
            layers: 0,
            k_bytes: 0,
            v_bytes: 0,
            bufs: Vec::new(),
        });
        self.reports.len() - 1
    }

    /// Counts layers of the cache at `index`.
    pub(super) fn layers(&mut self, index: usize, layers: u64) {
        if let Some(cache) = self.reports.get_mut(index) {
            cache.layers += layers;
        }
    }

    /// A K or V tensor per layer in the cache at `index`.
    pub(super) fn tensor(&mut self, index: usize, values: bool, tensor: &Tensor) -> Result<(), PlanError> {
        let Some(cache) = self.reports.get_mut(index) else { return Ok(()) };
        let cells = Bytes::new(cache.cells).times(cache.streams)?.times(tensor.layers)?.get();
        let allocated = tensor.ty.row_size(tensor.kept)?.times(cells)?;
        let side = if values { &mut cache.v_bytes } else { &mut cache.k_bytes };
        *side = Bytes::new(*side).plus(allocated)?.get();
        let entries = tensor.law.entries(self.cx.tokens, self.scenario.encoder_tokens)?;
        if self.scenario.explain {
            let row = tensor.ty.row_size(tensor.kept)?.get();
            let label = format!("{} {} tensors", cache.name, tensor.role.name());
            let formula = format!(
                "{row} bytes a row of {} as {} × {} cells × {} streams × {} layers",
                tensor.kept,
                tensor.ty.name(),
                cache.cells,
                cache.streams,
                tensor.layers
            );
            self.terms.push(Term::new(label, formula, allocated.get(), "bytes", tensor.rule).on(self.basis));
        }
        let entry = tensor.ty.row_size(tensor.needed.width()?)?.times(tensor.layers)?;
        self.laws.push((tensor.law, entry));
        self.lines.push(StoreLine {
            cache: cache.name,
            role: tensor.role,
            layers: tensor.layers,
            carriers: tensor.carriers,
            heads: tensor.needed.heads,
            dim: tensor.needed.dim,
            entries,
            sequences: self.cx.sequences,
            codec: tensor.ty.codec(),
            payload: entry.times(entries.get())?.times(self.cx.sequences)?,
            allocated,
            rule: tensor.rule,
            basis: self.basis,
        });
        Ok(())
    }

    /// What one more stretch of tokens adds.
    pub(super) fn growth(&self) -> Result<Growth, PlanError> {
        let mut tokens: u64 = 1;
        for stride in self.laws.iter().map(|(law, _)| law.stride()) {
            tokens = (tokens / gcd(tokens, stride)).checked_mul(stride).ok_or(crate::unit::Overflow)?;
        }
        let later = self.cx.tokens.plus(Tokens::new(tokens))?;
        let mut bytes = Bytes::ZERO;
        for (law, entry) in &self.laws {
            let kept = |n: Tokens| law.entries(n, self.scenario.encoder_tokens);
            bytes = bytes.plus(entry.times(kept(later)?.minus(kept(self.cx.tokens)?)?.get())?)?;
        }
        Ok(Growth { bytes, tokens })
    }

    /// The attention caches of an ordinary model.
    pub(super) fn attention(
        &mut self,
        model: &ModelSpec,
        arch: &Arch,
        rows: &[(u64, Rows)],
    ) -> Result<(), PlanError> {
        let (cx, streams) = (self.cx, self.cx.streams());
        // A drafting context is one plain cache: its layers are dense and their indexers are not kept.
        let window = if cx.mtp { None } else { one_window(rows)? };
        let indexed = !cx.mtp && rows.iter().any(|(_, rows)| rows.indexer.is_some());
        let empty = if counts_empty_layers(arch) { empty_layers(model, cx) } else { 0 };
        let held = empty + rows.iter().map(|(layers, _)| layers).sum::<u64>();
        if rows.is_empty() && held == 0 {
            return Ok(());
        }
        if window.is_some() && indexed {
            let message = "windows beside an indexer are not modelled for llama.cpp";
            return Err(PlanError::unsupported("model", message));
        }
        let base = match (window, indexed) {
            (Some(_), _) => "base",
            (None, true) => "main",
            (None, false) => "kv",
        };
        let base = self.open(base, cx.n_ctx_seq, streams);
        let swa = match window {
            None => base,
            Some(window) => {
                let cells = cx.swa_cells(window, cx.unified)?;
                self.explain_swa(window, cells);
                self.open("swa", cells, streams)
            }
        };
        let indexer = if indexed { self.open("indexer", cx.n_ctx_seq, streams) } else { base };
        let widest = widest_value(rows, cx)?;
        self.layers(base, empty);
        if let Some(width) = widest
            && empty > 0
        {
            let needed = Row { heads: 0, dim: width };
            self.tensor(
                base,
                true,
                &Tensor {
                    role: Role::V,
                    ty: cx.type_v.ty,
                    layers: empty,
                    carriers: Carriers::Empty,
                    needed,
                    kept: width,
                    law: Retention::All,
                    rule: &rules::V_TRANS,
                },
            )?;
        }
        for (layers, rows) in rows.iter().filter(|(layers, _)| *layers > 0) {
            let index = if rows.window.is_some() { swa } else { base };
            self.layer(index, *layers, rows, widest)?;
            if indexed {
                self.indexer(indexer, *layers, rows)?;
            }
        }
        Ok(())
    }

    /// K and V of equal layers.
    fn layer(
        &mut self,
        index: usize,
        layers: u64,
        rows: &Rows,
        widest: Option<u64>,
    ) -> Result<(), PlanError> {
        let rule = if rows.window.is_some() { &rules::SWA_CELLS } else { &rules::KV_CELLS };
        let (role, rule) = match rows.v {
            None if rows.head_v > 0 => (Role::Latent, &rules::LATENT),
            Some(_) | None => (Role::K, rule),
        };
        let carriers = Carriers::Kind(rows.kind);
        self.layers(index, layers);
        if let Some((k, v)) = self.rotations.get_mut(index) {
            *k = k.and(rows.k.dim);
            *v = v.and(rows.v.map_or(0, |row| row.dim));
        }
        let ty = self.cx.type_k.ty;
        let needed = rows.needed.unwrap_or(rows.k);
        self.tensor(
            index,
            false,
            &Tensor { role, ty, layers, carriers, needed, kept: rows.k.width()?, law: rows.law, rule },
        )?;
        let Some(v) = rows.v else { return Ok(()) };
        let (kept, rule) = match widest {
            Some(width) => (width, &rules::V_TRANS),
            None => (v.width()?, rule),
        };
        // Where the tokens need one latent row, K's line has it.
        let needed = if rows.needed.is_some() { Row { heads: 0, dim: v.dim } } else { v };
        let ty = self.cx.type_v.ty;
        self.tensor(
            index,
            true,
            &Tensor { role: Role::V, ty, layers, carriers, needed, kept, law: rows.law, rule },
        )
    }

    /// Indexer keys, and the values that come with them where the main cache has values.
    fn indexer(&mut self, index: usize, layers: u64, rows: &Rows) -> Result<(), PlanError> {
        let Some(row) = rows.indexer else { return Ok(()) };
        let carriers = Carriers::Kind(rows.kind);
        self.layers(index, layers);
        let rule = &rules::INDEXER;
        let ty = self.cx.type_k.ty;
        let needed = Row { heads: 1, dim: row.dim };
        self.tensor(
            index,
            false,
            &Tensor { role: Role::Indexer, ty, layers, carriers, needed, kept: row.kept, law: row.law, rule },
        )?;
        let Some(dim) = row.v else { return Ok(()) };
        let (needed, ty) = (Row { heads: 0, dim }, self.cx.type_v.ty);
        self.tensor(
            index,
            true,
            &Tensor { role: Role::Indexer, ty, layers, carriers, needed, kept: dim, law: row.law, rule },
        )
    }

    pub(super) fn explain_swa(&mut self, window: u64, cells: u64) {
        if !self.scenario.explain {
            return;
        }
        let cx = self.cx;
        let formula = if cx.swa_full {
            "swa_full: n_ctx_seq".to_owned()
        } else {
            let sequences = if cx.unified { cx.n_seq_max } else { 1 };
            format!("PAD(min({}, {window} × {sequences} + {}), 256)", cx.n_ctx_seq, cx.n_ubatch)
        };
        self.terms.push(Term::new("swa cells", formula, cells, "cells", &rules::SWA_CELLS));
    }
}

/// Trunk layers that keep nothing.
fn empty_layers(model: &ModelSpec, cx: &Context) -> u64 {
    let empty = model.kinds().iter().filter(|kind| kind.mixers().is_empty());
    empty.map(|kind| if cx.mtp { kind.mtp_layers() } else { kind.layers() }).sum()
}

/// Without flash attention every V is as wide as the widest.
fn widest_value(rows: &[(u64, Rows)], cx: &Context) -> Result<Option<u64>, PlanError> {
    if cx.flash_attn {
        return Ok(None);
    }
    let mut widest = None;
    for v in rows.iter().filter_map(|(_, rows)| rows.v) {
        widest = widest.max(Some(v.width()?));
    }
    Ok(widest)
}

/// llama.cpp has one window per model.
fn one_window(rows: &[(u64, Rows)]) -> Result<Option<u64>, PlanError> {
    let mut windows = rows.iter().filter_map(|(_, rows)| rows.window);
    let Some(first) = windows.next() else { return Ok(None) };
    match windows.find(|window| *window != first) {
        None => Ok(Some(first)),
        Some(other) => {
            let message = format!("llama.cpp has one window per model; this one has {first} and {other}");
            Err(PlanError::unsupported("model", message).with_value(other))
        }
    }
}
