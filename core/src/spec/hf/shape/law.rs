//! How a family builds a layer: which biases, norms and feed-forward block its class has beside the dimensions.

/// Whether a vector is there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Flag {
    /// The class has none.
    Never,
    /// The class always has it.
    Always,
    /// The config says; absent, the class's default.
    Key(&'static str, bool),
}

/// Norms of queries and keys.
#[derive(Debug, Clone, Copy)]
pub(super) enum QkNorm {
    /// None.
    None,
    /// One vector of the head's width, shared by all heads.
    Head,
    /// One vector as wide as all heads.
    Whole,
    /// One of the head's width, where this key is on.
    HeadIf(&'static str),
    /// A row per head, where this key is on.
    RowsIf(&'static str),
}

/// Norms of the residual stream in a layer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Norms {
    /// Without parameters.
    None,
    /// One for attention and feed-forward alike.
    One,
    /// Before attention, before the feed-forward block.
    Two,
    /// After each of them instead.
    TwoAfter,
    /// Before and after each.
    Four,
    /// Falcon's: one, or two where attention and block run one after the other or `num_ln_in_parallel_attn` is 2.
    Falcon,
}

/// A value a head that attention may spend itself on instead of a token.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sinks {
    /// None.
    None,
    /// In every layer.
    All,
    /// In windowed and in full layers, where these say so.
    Keyed {
        /// For windowed layers.
        window: Flag,
        /// For full layers.
        full: Flag,
    },
}

/// The feed-forward block.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ffn {
    /// Gate, up, down.
    Gated,
    /// Gate and up in one matrix.
    GatedFused,
    /// Up, down.
    Plain,
}

/// Where the width of the feed-forward block is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum FfnWidth {
    /// `intermediate_size`, which must be there.
    Named,
    /// Under this key.
    Key(&'static str),
    /// Under this key; absent or null, this many times the hidden size.
    OrTimes(&'static str, u64),
    /// Half of `intermediate_size`.
    Halved,
    /// LFM2's `block_ff_dim`, cut to two thirds and rounded up where `block_auto_adjust_ff_dim`.
    Adjusted,
}

/// Which layers have experts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sparse {
    /// Every one.
    All,
    /// All after the first `first_k_dense_replace`.
    AfterDense,
    /// Every `decoder_sparse_step`-th, except `mlp_only_layers`.
    Step,
    /// Every `interleave_moe_layer_step`-th, or as `moe_layers` lists.
    Interleaved,
    /// From `moe_layer_start_index` to `moe_layer_end_index`, every `moe_layer_interval`-th.
    Interval,
    /// All after the first `num_dense_layers`.
    NumDense,
    /// As this key lists, 1 or 0 a layer.
    Listed(&'static str),
    /// Every one, where the config counts experts at all.
    IfCounted,
}

/// Experts every token reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum SharedExperts {
    /// None.
    None,
    /// This key counts them, each as wide as a routed one.
    Count(&'static str),
    /// This key gives their width; the class multiplies them with a gate of one output.
    Gated(&'static str),
    /// One, as wide as a routed one.
    One,
}

/// Experts of a family.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moe {
    pub(super) sparse: Sparse,
    pub(super) shared: SharedExperts,
    /// A correction bias per expert beside the router.
    pub(super) correction: Flag,
    /// Biases in experts and router (gpt-oss).
    pub(super) biased: bool,
    /// Expert matrices are gated.
    pub(super) gated: bool,
}

/// What a multi-token-prediction module has beside its layer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mtp {
    /// The family has none that are understood.
    None,
    /// The config counts them, the checkpoint does not hold them.
    NotStored,
    /// Projection, three norms, and its own copies of embedding and head.
    Copies,
    /// Projection and three norms.
    Shared,
    /// Projection, three norms, and its own copy of the head.
    Head,
}

/// A family's classes of tensors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Law {
    pub(super) qkv_bias: Flag,
    pub(super) out_bias: Flag,
    /// Queries, keys and values in one matrix.
    pub(super) fused_qkv: bool,
    /// A gate as wide as the attention's output, beside the queries.
    pub(super) gate: Flag,
    pub(super) sinks: Sinks,
    pub(super) qk_norm: QkNorm,
    pub(super) norms: Norms,
    /// Norms have a bias (`LayerNorm`).
    pub(super) norm_bias: bool,
    pub(super) ffn: Ffn,
    pub(super) width: FfnWidth,
    pub(super) ffn_bias: Flag,
    pub(super) moe: Option<Moe>,
    pub(super) mtp: Mtp,
    /// `tie_word_embeddings` where the config is silent.
    pub(super) tied: bool,
    pub(super) head_bias: Flag,
    /// Rows of a learned position table: the keys that may say them, and rows added.
    pub(super) positions: Option<(&'static [&'static str], u64)>,
    /// A norm right after the embedding.
    pub(super) embedding_norm: bool,
}

impl Law {
    /// As Llama builds it.
    pub(super) const LLAMA: Self = Self {
        qkv_bias: Flag::Key("attention_bias", false),
        out_bias: Flag::Key("attention_bias", false),
        fused_qkv: false,
        gate: Flag::Never,
        sinks: Sinks::None,
        qk_norm: QkNorm::None,
        norms: Norms::Two,
        norm_bias: false,
        ffn: Ffn::Gated,
        width: FfnWidth::Named,
        ffn_bias: Flag::Key("mlp_bias", false),
        moe: None,
        mtp: Mtp::None,
        tied: false,
        head_bias: Flag::Never,
        positions: None,
        embedding_norm: false,
    };

    /// The older GPT form: biases everywhere, norms with biases, a plain block of four times the width.
    pub(super) const GPT: Self = Self {
        qkv_bias: Flag::Always,
        out_bias: Flag::Always,
        fused_qkv: true,
        norm_bias: true,
        ffn: Ffn::Plain,
        width: FfnWidth::OrTimes("n_inner", 4),
        ffn_bias: Flag::Always,
        tied: true,
        ..Self::LLAMA
    };

    pub(super) const fn bias(mut self, qkv: Flag, out: Flag) -> Self {
        self.qkv_bias = qkv;
        self.out_bias = out;
        self
    }

    pub(super) const fn qk_norm(mut self, norm: QkNorm) -> Self {
        self.qk_norm = norm;
        self
    }

    pub(super) const fn norms(mut self, norms: Norms) -> Self {
        self.norms = norms;
        self
    }

    pub(super) const fn tied(mut self) -> Self {
        self.tied = true;
        self
    }

    pub(super) const fn ffn(mut self, ffn: Ffn, width: FfnWidth, bias: Flag) -> Self {
        self.ffn = ffn;
        self.width = width;
        self.ffn_bias = bias;
        self
    }

    pub(super) const fn fused(mut self) -> Self {
        self.fused_qkv = true;
        self
    }

    pub(super) const fn moe(mut self, sparse: Sparse, shared: SharedExperts, correction: Flag) -> Self {
        self.moe = Some(Moe { sparse, shared, correction, biased: false, gated: true });
        self
    }

    pub(super) const fn mtp(mut self, mtp: Mtp) -> Self {
        self.mtp = mtp;
        self
    }
}
