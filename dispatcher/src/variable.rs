//! Every variable of its environment that the dispatcher reads itself. Only `main` reads any, and by these alone, so that the
//! table of docs/reference.md is complete. Pure.

use strum::{EnumMessage, IntoStaticStr, VariantArray};

/// A variable of the dispatcher's environment. The comment is what users are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumMessage, IntoStaticStr, VariantArray)]
pub enum Variable {
    /// The configuration, a file or its text, where `--config` does not say it. Default: `immortal.toml`.
    #[strum(serialize = "IMMORTAL_CONFIG")]
    Config,
    /// Which log lines are written: `error`, `warn`, `info`, `debug`, `trace`, or tracing's directives (`info,dispatcher::queue=debug`).
    /// Default: `info`.
    #[strum(serialize = "IMMORTAL_LOG")]
    Log,
    /// How log lines are written, where `--log-format` does not say it: `text` or `json`. Default: `text`; `json` as a Lambda
    /// function.
    #[strum(serialize = "IMMORTAL_LOG_FORMAT")]
    LogFormat,
    /// Set by Lambda: the program is a Lambda function, whatever its arguments say.
    #[strum(serialize = "AWS_LAMBDA_RUNTIME_API")]
    RuntimeApi,
}

impl Variable {
    /// As it is written.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
