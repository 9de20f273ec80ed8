//! What a container's environment asks for: a job of the ledger, the jobs that a queue points to, or a function and its
//! event, the ancestor's variables included. Pure.

use ledger::{Address, Destination, JobId, Redacted, Root};

use super::{
    ConfigError, Context, Environment, EventSource, Limits, Run, Source, Variable, Whose, Work,
    destinations, function_name, text, whose,
};
use crate::function::S3Object;

/// What a container is there for.
#[derive(Debug, Clone)]
pub struct Container {
    /// What is to be run.
    pub task: Task,
    /// Where its outcome goes, unless the job says so itself; none: where the function's own configuration says.
    pub destinations: Option<Vec<Destination>>,
}

/// What is to be run.
#[derive(Debug, Clone)]
pub enum Task {
    /// A job without a ledger.
    Run(Box<Run>),
    /// A job of a ledger.
    Job(Claimable),
    /// The jobs that a queue points to.
    Work(Box<Work>),
}

/// An attempt that is to be claimed, and what is known before the job has been read.
#[derive(Debug, Clone)]
pub struct Claimable {
    /// The ledger.
    pub root: Root,
    /// The job.
    pub id: JobId,
    /// Counted from 1.
    pub attempt: u32,
    /// Region of AWS calls, where it is not the usual one.
    pub region: Option<String>,
    /// Time and memory, and where runtime clients are.
    pub limits: Limits,
    /// Whose credentials the function gets.
    pub credentials: Whose,
}

/// What the container's environment asks for.
pub fn from_environment(environment: &impl Environment) -> Result<Container, ConfigError> {
    let (job, queue) = (text(environment, Variable::Job)?, text(environment, Variable::Queue)?);
    let task = match (job, queue) {
        (Some(address), _) => Task::Job(claimable(environment, &address)?),
        (None, Some(queue)) => Task::Work(Box::new(Work::at(queue, environment)?)),
        (None, None) => Task::Run(Box::new(run(environment)?)),
    };
    Ok(Container { task, destinations: destinations(environment)? })
}

fn claimable(environment: &impl Environment, address: &str) -> Result<Claimable, ConfigError> {
    let wrong = |source| ConfigError::Address { setting: Variable::Job.name(), source };
    let Address { root, job } = address.parse().map_err(wrong)?;
    let id = job.ok_or_else(|| ConfigError::Invalid {
        setting: Variable::Job.name().to_owned(),
        expected: "the address of a job, `s3://BUCKET/PREFIX/jobs/ID` or `file:///DIRECTORY/jobs/ID`",
        found: address.to_owned(),
    })?;
    Ok(Claimable {
        root,
        id,
        attempt: attempt(environment)?,
        region: text(environment, Variable::Region)?,
        limits: Limits::from_environment(environment)?,
        credentials: whose(environment)?,
    })
}

fn attempt(environment: &impl Environment) -> Result<u32, ConfigError> {
    let found = text(environment, Variable::Attempt)?.ok_or(ConfigError::Missing(
        "IMMORTAL_JOB is set and IMMORTAL_ATTEMPT is not: set it to the number of this attempt, counted from 1",
    ))?;
    found.parse().ok().filter(|number| *number > 0).ok_or_else(|| ConfigError::Invalid {
        setting: Variable::Attempt.name().to_owned(),
        expected: "the number of an attempt, counted from 1",
        found,
    })
}

/// A job without a ledger.
fn run(environment: &impl Environment) -> Result<Run, ConfigError> {
    let limits = Limits::from_environment(environment)?;
    if let Some(function) = text(environment, Variable::Function)? {
        let event = text(environment, Variable::Event)?.unwrap_or_else(|| "{}".into());
        let source = Source::Deployed(function_name(Variable::Function.name(), &function)?);
        let run = Run::new(source, event_address(event)?, limits);
        let (region, credentials) = (text(environment, Variable::Region)?, whose(environment)?);
        return Ok(Run { region, credentials, ..run });
    }
    ancestor(environment, limits)
}

/// The variables of immortal-aws-lambda, which still start a run.
fn ancestor(environment: &impl Environment, limits: Limits) -> Result<Run, ConfigError> {
    let name = text(environment, Variable::HandlerName)?.ok_or(ConfigError::Missing(
        "nothing to run: set IMMORTAL_FUNCTION to a function's name or ARN and IMMORTAL_EVENT to its event, or IMMORTAL_QUEUE to a queue of jobs",
    ))?;
    let context = text(environment, Variable::HandlerContext)?;
    let event = text(environment, Variable::HandlerEvent)?.unwrap_or_else(|| "{}".into());
    let source = Source::Deployed(function_name(Variable::HandlerName.name(), &name)?);
    Ok(Run {
        context: context.map_or_else(|| Ok(Context::default()), |text| read_context(&text))?,
        credentials: whose(environment)?,
        module: text(environment, Variable::HandlerPath)?,
        region: text(environment, Variable::Region)?,
        ..Run::new(source, EventSource::Text(Redacted::new(event)), limits)
    })
}

/// An event that is given by address, or here.
fn event_address(text: String) -> Result<EventSource, ConfigError> {
    if let Some(rest) = text.strip_prefix("s3://") {
        return object(rest).ok_or_else(|| ConfigError::Invalid {
            setting: Variable::Event.name().to_owned(),
            expected: "an object's address, `s3://BUCKET/KEY`",
            found: text.clone(),
        });
    }
    Ok(match text.strip_prefix("file://") {
        Some(path) => EventSource::File(path.into()),
        None => EventSource::Text(Redacted::new(text)),
    })
}

fn object(text: &str) -> Option<EventSource> {
    let (bucket, key) =
        text.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())?;
    Some(EventSource::S3(S3Object {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version: None,
    }))
}

/// Reads a context object as the Node and Python runtimes print it.
fn read_context(text: &str) -> Result<Context, ConfigError> {
    let invalid = || ConfigError::Invalid {
        setting: Variable::HandlerContext.name().to_owned(),
        expected: "a JSON object",
        // The text may hold an identity, so only its length is told.
        found: format!("{} bytes that are none", text.len()),
    };
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|_| invalid())?;
    let string = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| object.get(*name)?.as_str())
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let json = |names: [&str; 2]| {
        let value =
            names.iter().find_map(|name| object.get(*name)).filter(|value| value.is_object());
        value.map(|value| Redacted::new(value.to_string()))
    };
    Ok(Context {
        request_id: string(["awsRequestId", "aws_request_id"]),
        invoked_function_arn: string(["invokedFunctionArn", "invoked_function_arn"]),
        client_context: json(["clientContext", "client_context"]),
        identity: json(["identity", "identity"]),
        ..Context::default()
    })
}
