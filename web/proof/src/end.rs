//! How a run ended, in the states a page has words for.

use kvplan_kernels::gpu::GpuError;
use kvplan_kernels::validate::Report;
use serde::Serialize;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum End {
    /// It ran; the report says whether everything held.
    Report {
        /// What was found.
        report: Box<Report>,
    },
    /// The browser has WebGPU and gives no adapter.
    NoAdapter {
        /// The error's words.
        message: String,
    },
    /// The adapter lacks what every kernel needs.
    Unfit {
        /// The error's words.
        message: String,
    },
    /// The device went away during the run.
    DeviceLost {
        /// The error's words.
        message: String,
    },
    /// Anything else: full memory, or a bug of ours.
    Failed {
        /// The error's words.
        message: String,
    },
}

impl From<Result<Report, GpuError>> for End {
    fn from(result: Result<Report, GpuError>) -> Self {
        let error = match result {
            Ok(report) => return Self::Report { report: Box::new(report) },
            Err(error) => error,
        };
        let message = error.to_string();
        match error {
            GpuError::NoAdapter | GpuError::NoSuchAdapter { .. } => Self::NoAdapter { message },
            GpuError::MissingFeature { .. } => Self::Unfit { message },
            GpuError::DeviceLost { .. } => Self::DeviceLost { message },
            GpuError::OutOfMemory { .. }
            | GpuError::BindingTooLarge { .. }
            | GpuError::Validation { .. }
            | GpuError::Arguments { .. }
            | GpuError::Range { .. }
            | GpuError::Unaligned { .. }
            | GpuError::NonFinite { .. } => Self::Failed { message },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(error: GpuError) -> serde_json::Value {
        serde_json::to_value(End::from(Err(error))).unwrap()
    }

    #[test]
    fn an_error_reaches_the_page_as_a_state_and_the_words_of_the_error() {
        assert_eq!(json(GpuError::NoAdapter)["state"], "no-adapter");
        let lost = json(GpuError::DeviceLost { reason: "unplugged".into() });
        assert_eq!(lost["state"], "device-lost");
        assert!(lost["message"].as_str().unwrap().contains("unplugged"));
        assert_eq!(json(GpuError::OutOfMemory { label: "k".into() })["state"], "failed");
    }
}
