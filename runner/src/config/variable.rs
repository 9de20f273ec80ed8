//! Every variable of its environment that the runner reads. There is no other way to read one, so the table of
//! docs/reference.md, which is made of this, is complete. Pure.

use strum::{EnumMessage, IntoStaticStr, VariantArray};

/// A variable of the runner's environment. The first paragraph of its comment is what users are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumMessage, IntoStaticStr, VariantArray)]
pub enum Variable {
    /// Address of a job in a ledger: `s3://BUCKET/PREFIX/jobs/ID` or `file:///DIRECTORY/jobs/ID`.
    #[strum(serialize = "IMMORTAL_JOB")]
    Job,
    /// Number of this attempt at the job, counted from 1. Required with `IMMORTAL_JOB`.
    #[strum(serialize = "IMMORTAL_ATTEMPT")]
    Attempt,
    /// Without a ledger: the function to run, by name, partial or full ARN, with an optional `:QUALIFIER`. A worker takes
    /// jobs of it alone.
    #[strum(serialize = "IMMORTAL_FUNCTION")]
    Function,
    /// Its event: JSON text, or a `file://` or `s3://` address. Default: `{}`.
    #[strum(serialize = "IMMORTAL_EVENT")]
    Event,
    /// Where the outcome goes, separated by commas: `sqs:URL`, `s3://BUCKET/PREFIX`, `sns:ARN`, `eventbridge:BUS`,
    /// `lambda:ARN`, `stdout`. Default: where the function's own configuration says; the response of a job without a
    /// ledger is printed.
    #[strum(serialize = "IMMORTAL_DESTINATIONS")]
    Destinations,
    /// URL of a queue of pointers to jobs: the program is a worker, and works through it.
    #[strum(serialize = "IMMORTAL_QUEUE")]
    Queue,
    /// A worker ends when it had nothing to do for so long; `never`: it waits for ever. Default: `5m`.
    #[strum(serialize = "IMMORTAL_IDLE")]
    Idle,
    /// A worker takes jobs of this ledger alone: `s3://BUCKET/PREFIX` or `file:///DIRECTORY`. Default: of any.
    #[strum(serialize = "IMMORTAL_LEDGER")]
    Ledger,
    /// Limit of one invocation, such as `90s`, `2h 30m`, or seconds without a unit; at most `24d`. Default: `14d`.
    #[strum(serialize = "IMMORTAL_MAX_DURATION")]
    MaxDuration,
    /// How long making the function ready may take. Default: `10m`.
    #[strum(serialize = "IMMORTAL_INIT_TIMEOUT")]
    InitTimeout,
    /// The container's stop timeout: everything after SIGTERM fits into it. Default: `30s`.
    #[strum(serialize = "IMMORTAL_STOP_TIMEOUT")]
    StopTimeout,
    /// Whose credentials the function gets: those of the `task`, or those of the `function`'s own role, assumed and kept
    /// fresh for as long as it runs. Default: `task`.
    #[strum(serialize = "IMMORTAL_CREDENTIALS")]
    Credentials,
    /// `here`: the container's own image is that of the function, in which the runner was put (`install`); nothing of it is
    /// pulled. Default: the function's image is pulled into a root directory of its own.
    #[strum(serialize = "IMMORTAL_IMAGE")]
    Image,
    /// Directory with the language runtime's client (`bootstrap`). Default: `/var/runtime`.
    #[strum(serialize = "IMMORTAL_RUNTIME_DIR")]
    RuntimeDir,

    /// Of immortal-aws-lambda, still served: name of the function, where `IMMORTAL_FUNCTION` is not set.
    #[strum(serialize = "AWS_LAMBDA_HANDLER_NAME")]
    HandlerName,
    /// Of immortal-aws-lambda: the event, JSON text.
    #[strum(serialize = "AWS_LAMBDA_HANDLER_EVENT")]
    HandlerEvent,
    /// Of immortal-aws-lambda: the context object, JSON text.
    #[strum(serialize = "AWS_LAMBDA_HANDLER_CONTEXT")]
    HandlerContext,
    /// Of immortal-aws-lambda: path of the handler's module in the package, in place of the function's own.
    #[strum(serialize = "AWS_LAMBDA_HANDLER_PATH")]
    HandlerPath,
    /// Of immortal-aws-lambda: region of AWS calls, where it is not the usual one.
    #[strum(serialize = "REGION")]
    Region,

    /// Region that a function which is not deployed is told it is in. Default: that of `AWS_DEFAULT_REGION`, else `us-east-1`.
    #[strum(serialize = "AWS_REGION")]
    AwsRegion,
    /// The region, where `AWS_REGION` is not set.
    #[strum(serialize = "AWS_DEFAULT_REGION")]
    AwsDefaultRegion,
    /// Availability zone that Lambda's metadata endpoint tells the function. Without it that endpoint answers 503.
    #[strum(serialize = "AWS_AVAILABILITY_ZONE_ID")]
    AvailabilityZone,
    /// Set by ECS: where an attempt learns which task and container it is.
    #[strum(serialize = "ECS_CONTAINER_METADATA_URI_V4")]
    TaskMetadata,
    /// Set by ECS: where a worker asks that its task be not ended while it is busy.
    #[strum(serialize = "ECS_AGENT_URI")]
    Agent,
    /// With `serve -- COMMAND`: memory of the function, MB.
    #[strum(serialize = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE")]
    FunctionMemory,
    /// With `serve -- COMMAND`: version of the function.
    #[strum(serialize = "AWS_LAMBDA_FUNCTION_VERSION")]
    FunctionVersion,
    /// With `serve -- COMMAND`: name of the function.
    #[strum(serialize = "AWS_LAMBDA_FUNCTION_NAME")]
    FunctionName,
    /// With `serve -- COMMAND`: its handler. Default: the last word of the command.
    #[strum(serialize = "AWS_LAMBDA_FUNCTION_HANDLER")]
    FunctionHandler,
    /// With `serve -- COMMAND`: its handler, where neither that nor the command says it.
    #[strum(serialize = "_HANDLER")]
    HandlerOfImage,
    /// Directory of `.docker/config.json`, whose logins are used for registries of container images.
    #[strum(serialize = "HOME")]
    Home,

    /// Credentials of the environment, for AWS calls; handed on to the function where it has no role of its own.
    #[strum(serialize = "AWS_ACCESS_KEY_ID")]
    AccessKey,
    /// Secret of `AWS_ACCESS_KEY_ID`.
    #[strum(serialize = "AWS_SECRET_ACCESS_KEY")]
    SecretKey,
    /// Session of `AWS_ACCESS_KEY_ID`, where it is temporary.
    #[strum(serialize = "AWS_SESSION_TOKEN")]
    SessionToken,
    /// Set by ECS: where credentials of the task role are; handed on likewise.
    #[strum(serialize = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")]
    ContainerCredentials,
    /// The same as a whole address; handed on likewise.
    #[strum(serialize = "AWS_CONTAINER_CREDENTIALS_FULL_URI")]
    ContainerCredentialsAddress,
    /// Token for that address; handed on likewise.
    #[strum(serialize = "AWS_CONTAINER_AUTHORIZATION_TOKEN")]
    ContainerToken,
    /// File with that token; handed on likewise.
    #[strum(serialize = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")]
    ContainerTokenFile,
}

impl Variable {
    /// As it is written.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What of the supervisor's own environment the function is given: how to find its credentials.
pub const HANDED_ON: [Variable; 7] = [
    Variable::AccessKey,
    Variable::SecretKey,
    Variable::SessionToken,
    Variable::ContainerCredentials,
    Variable::ContainerCredentialsAddress,
    Variable::ContainerToken,
    Variable::ContainerTokenFile,
];
