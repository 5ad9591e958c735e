//! The figures in vLLM's start-up log, as each version computes them.
//!
//! Every version prints a token count and a concurrency beside the memory it found; what the token count means has
//! changed twice. Reading a published log back needs the formula of its version.

use super::pool;

/// How a version turns blocks into the printed figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormula {
    /// Up to 0.8.5: tokens are blocks × block size, concurrency is tokens over the longest request.
    Tokens,
    /// 0.9 to 0.20: tokens are blocks shared out over the groups × the smallest block, times the
    /// decode-context-parallel ranks; concurrency is blocks over the blocks of one request.
    PerGroup,
    /// From 0.21: concurrency as before, tokens are concurrency × the longest request.
    Concurrency,
}

/// What the figures are computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogInput {
    /// Blocks of the pool.
    pub num_blocks: u64,
    /// Block tables a request has.
    pub groups: u64,
    /// The smallest block of a group, in tokens.
    pub block_size: u64,
    /// Blocks of one request of the full length.
    pub blocks_per_request: u64,
    /// Tokens of the longest request.
    pub max_model_len: u64,
    /// Decode-context-parallel ranks.
    pub dcp: u64,
}

/// What the log prints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogFigures {
    /// `GPU KV cache size: … tokens`.
    pub tokens: u64,
    /// `Maximum concurrency for … tokens per request: …x`.
    pub concurrency: f64,
}

impl LogFormula {
    /// The formula of a version such as `0.11.0` or `0.15.x`; `None` where the text does not start like one.
    #[must_use]
    pub fn of(version: &str) -> Option<Self> {
        let (major, rest) = version.trim().split_once('.')?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (minor, rest) = rest.split_at(end);
        // `0.2x` is no version.
        if rest.starts_with(char::is_alphabetic) {
            return None;
        }
        Some(match (major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?) {
            (0, 0..=8) => Self::Tokens,
            (0, 9..=20) => Self::PerGroup,
            _ => Self::Concurrency,
        })
    }

    /// The printed figures; concurrency is printed with two decimals.
    #[must_use]
    pub fn figures(self, input: &LogInput) -> LogFigures {
        let LogInput { num_blocks, groups, block_size, blocks_per_request, max_model_len, dcp } = *input;
        let per_request = pool::concurrency(num_blocks, blocks_per_request.max(1));
        match self {
            Self::Tokens => {
                let tokens = num_blocks.saturating_mul(block_size);
                LogFigures { tokens, concurrency: pool::concurrency(tokens, max_model_len.max(1)) }
            }
            Self::PerGroup => {
                let tokens = (num_blocks / groups.max(1)).saturating_mul(block_size).saturating_mul(dcp);
                LogFigures { tokens, concurrency: per_request }
            }
            Self::Concurrency => {
                LogFigures { tokens: pool::tokens(per_request, max_model_len), concurrency: per_request }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_the_formula_of_its_release() {
        assert_eq!(LogFormula::of("0.8.5"), Some(LogFormula::Tokens));
        assert_eq!(LogFormula::of("0.11-dev"), Some(LogFormula::PerGroup));
        assert_eq!(LogFormula::of("0.33.0"), Some(LogFormula::Concurrency));
        for vague in ["main", "0.2x", "2026-09"] {
            assert_eq!(LogFormula::of(vague), None);
        }
    }

    #[test]
    fn qwen3_5_at_0_17_prints_blocks_shared_out_over_four_groups() {
        // Published log: 284 blocks of 2096 tokens, 22 a request: 148,816 tokens, 12.91x.
        let input = LogInput {
            num_blocks: 284,
            groups: 4,
            block_size: 2096,
            blocks_per_request: 22,
            max_model_len: 32768,
            dcp: 1,
        };
        let figures = LogFormula::PerGroup.figures(&input);
        assert_eq!(figures.tokens, 148_816);
        assert_eq!(format!("{:.2}", figures.concurrency), "12.91");
    }
}
