//! The account: what AWS says of its services, and what is assumed where it says nothing. Each figure with its source.

use std::time::Duration;

/// A token bucket: so many at once, so many a second.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// A second.
    pub a_second: f64,
}

const fn rate(burst: u32, a_second: f64) -> Rate {
    Rate { burst, a_second }
}

/// Launches on Fargate, on demand; Spot has its own (ECS developer guide, "AWS Fargate service quotas").
pub const LAUNCHES: Rate = rate(100, 20.0);
/// `RunTask` and what else changes a cluster (ECS developer guide, "Request throttling").
pub const MODIFY: Rate = rate(100, 40.0);
/// `DescribeTasks` and what else reads a cluster (the same).
pub const READ: Rate = rate(100, 20.0);
/// `SubmitJob` (Batch user guide, "Service quotas"); the other operations of Batch are assumed to have as much.
pub const SUBMIT: Rate = rate(50, 50.0);
/// Lambda's control plane (Lambda developer guide, "Quotas": 15 a second, `GetFunction` 100).
pub const GET_FUNCTION: Rate = rate(100, 100.0);
/// Services start so many tasks a second (ECS developer guide: 500 a minute).
pub const SERVICE: f64 = 500.0 / 60.0;

/// vCPUs on demand at the same time. New accounts have 6, which AWS raises on request: this is assumed.
pub const VCPUS: u32 = 4_000;

/// From acceptance to the first instruction: 30 to 45 s are typical, a 413 MB image took 57 s (AWS re:Post; elasticscale,
/// 2024). By lot between these.
pub const START: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(57));

/// Of a second, what an operation takes. Assumed.
pub const LATENCY: Duration = Duration::from_millis(20);
/// The same for `RunTask`. Assumed.
pub const LAUNCH_LATENCY: Duration = Duration::from_millis(300);
/// The same for an object of S3. Assumed.
pub const OBJECT_LATENCY: Duration = Duration::from_millis(15);
/// Batch looks at its queue so often. Assumed: "seconds to minutes".
pub const SCHEDULER: Duration = Duration::from_secs(5);

/// Spot tasks that are reclaimed within an hour, of 1. Assumed: AWS names no figure.
pub const RECLAIMED: f64 = 0.05;
/// Hosts that are lost within an hour, without a word, of 1. Assumed.
pub const HOSTS_LOST: f64 = 0.0005;
/// Launches for which there is no capacity, of 1. Assumed.
pub const NO_CAPACITY: f64 = 0.001;
/// Answers of `RunTask` and `SubmitJob` that are lost, of 1. Assumed.
pub const LOST_ANSWERS: f64 = 0.000_2;
/// Messages of a standard queue that are delivered twice, of 1. Assumed.
pub const TWICE: f64 = 0.001;
/// Events that are lost, and that come twice, of 1: EventBridge delivers at least once (goal B11 of the project).
pub const EVENTS_LOST: f64 = 0.02;
/// See above.
pub const EVENTS_TWICE: f64 = 0.10;

/// From then on half of all requests to ECS are throttled, for a minute (goal B8 of the project).
pub const STORM: Duration = Duration::from_secs(30);
/// See above.
pub const STORM_LASTS: Duration = Duration::from_mins(1);
/// See above, of 1.
pub const STORM_PART: f64 = 0.5;

/// What long functions take, and short ones: by lot between these, most of it short. Assumed.
pub const LONG: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(6));
/// See above.
pub const SHORT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// So many messages wait for each worker (`Backlog` of deploy/worker.yaml). Fewer are left to the workers that there are.
pub const BACKLOG: u64 = 10;
/// Workers that a service has at most. Assumed.
pub const WORKERS: u64 = 1_000;

/// USD, us-east-1, 2026 (AWS price lists): a vCPU hour, a GB hour, on demand.
pub const VCPU_HOUR: f64 = 0.040_48;
/// See above.
pub const GB_HOUR: f64 = 0.004_445;
/// What Spot costs of it; it varies.
pub const SPOT: f64 = 0.3;
/// A request to SQS.
pub const SQS_REQUEST: f64 = 0.4e-6;
/// A request to S3 that writes or lists, and one that reads.
pub const S3_WRITE: f64 = 5e-6;
/// See above.
pub const S3_READ: f64 = 0.4e-6;
/// Fargate bills a minute at least, from the start of the image's pull.
pub const LEAST_BILLED: Duration = Duration::from_mins(1);
