//! Every variable that the runner reads, named once.

/// Ledger address of a job.
pub const JOB: &str = "IMMORTAL_JOB";
/// Number of the attempt at it, counted from 1.
pub const ATTEMPT: &str = "IMMORTAL_ATTEMPT";
/// Function to run: name, partial or full ARN, with optional qualifier.
pub const FUNCTION: &str = "IMMORTAL_FUNCTION";
/// Its event: JSON text, a `file://` or an `s3://` address. Default `{}`.
pub const EVENT: &str = "IMMORTAL_EVENT";
/// Where the outcome goes, separated by commas: `sqs:QUEUE_URL`, `s3://BUCKET/PREFIX`, `sns:ARN`, `eventbridge:BUS`,
/// `lambda:ARN`, `stdout`.
pub const DESTINATIONS: &str = "IMMORTAL_DESTINATIONS";
/// Queue of jobs to work through.
pub const QUEUE: &str = "IMMORTAL_QUEUE";
/// Limit of one invocation, default `14d`, at most `24d`.
pub const MAX_DURATION: &str = "IMMORTAL_MAX_DURATION";
/// The container's stop timeout, default `30s`: everything after SIGTERM fits into it.
pub const STOP_TIMEOUT: &str = "IMMORTAL_STOP_TIMEOUT";
/// How long making the function ready may take, default `10m`.
pub const INIT_TIMEOUT: &str = "IMMORTAL_INIT_TIMEOUT";
/// Whose credentials the function gets: those of the `task` (default), or those of the `function`'s own role, which are kept
/// fresh for as long as it runs.
pub const CREDENTIALS: &str = "IMMORTAL_CREDENTIALS";
/// Directory with the language runtime's client (`bootstrap`), default `/var/runtime`.
pub const RUNTIME_DIR: &str = "IMMORTAL_RUNTIME_DIR";

/// The ancestor's: event as JSON.
pub const HANDLER_EVENT: &str = "AWS_LAMBDA_HANDLER_EVENT";
/// The ancestor's: context object as JSON.
pub const HANDLER_CONTEXT: &str = "AWS_LAMBDA_HANDLER_CONTEXT";
/// The ancestor's: function name.
pub const HANDLER_NAME: &str = "AWS_LAMBDA_HANDLER_NAME";
/// The ancestor's: path of the handler's module inside the package.
pub const HANDLER_PATH: &str = "AWS_LAMBDA_HANDLER_PATH";
/// The ancestor's: region.
pub const REGION: &str = "REGION";

/// What of the supervisor's own environment the function is given: how to find its credentials.
pub const HANDED_ON: [&str; 7] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];
