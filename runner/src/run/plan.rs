//! A prepared function → what each of its environments is made of. Nothing is started here.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Times;
use super::prepare::{Boot, Prepared};
use crate::api::{Api, Facts};
use crate::boot::environment::{self, Platform, Variables};
use crate::boot::{self, Layout};
use crate::config::variable::HANDED_ON;
use crate::config::{Environment, Variable};
use crate::image::enter::Entry;
use crate::process::Program;
use crate::serve::Plan;
use crate::serve::pool::Made;

/// Where the runtime is told to send framed log records.
const LOG: &str = "_LAMBDA_TELEMETRY_LOG_FD";
/// Lambda's limit of a response, in bytes (developer guide, "Lambda quotas").
const LARGEST_RESPONSE: u64 = 6_291_556;
/// The same of one that is streamed.
const LARGEST_STREAM: u64 = 200 << 20;

/// Makes one more environment: its APIs listen before anything is started.
pub(super) async fn environment(
    prepared: &Prepared,
    environment: &impl Environment,
    times: Times,
) -> io::Result<Made> {
    let api = Api::bind().await?;
    let address = api.address;
    let function = &prepared.function;
    let platform = platform(prepared, environment, api.address.to_string());
    let extensions = boot::extensions(&opt(prepared));
    let facts = Facts {
        name: function.name.clone(),
        version: function.version.clone(),
        handler: function.handler.clone(),
        account: function.account().map(str::to_owned),
        zone: environment.get(Variable::AvailabilityZone).and_then(|zone| zone.into_string().ok()),
        metadata_token: platform.metadata_token.clone(),
        extensions: extensions.is_some(),
        concurrency: function.concurrency(),
        response_limit: prepared.strict.then_some(LARGEST_RESPONSE),
        stream_limit: prepared.strict.then_some(LARGEST_STREAM),
    };
    let extensions = extensions.unwrap_or_default();
    let plan = plan(prepared, environment, &platform, address, extensions, times)?;
    Ok(Made { plan, calls: api.serve(facts) })
}

fn plan(
    prepared: &Prepared,
    environment: &impl Environment,
    platform: &Platform,
    api: SocketAddr,
    extensions: Vec<(String, PathBuf)>,
    times: Times,
) -> io::Result<Plan> {
    let function = &prepared.function;
    let runtime = runtime(prepared, environment, platform)?;
    let variables = match &runtime {
        Ok(program) => environment::of_extension(program.variables.clone()),
        Err(_) => Variables::new(),
    };
    let extension = |(name, path): (String, PathBuf)| {
        let program = extension(prepared, &path, variables.clone())?;
        Ok::<_, io::Error>((name.into(), Arc::new(program)))
    };
    Ok(Plan {
        runtime: runtime.map(Arc::new),
        extensions: extensions.into_iter().map(extension).collect::<Result<_, _>>()?,
        name: function.name.as_str().into(),
        version: function.version.as_str().into(),
        identifier: matches!(prepared.boot, Boot::Runtime { .. })
            .then(|| function.runtime.as_str().into()),
        api,
        stream: platform.log_stream.as_str().into(),
        memory: function.memory,
        limit: times.limit,
        init_limit: times.init,
        grace: times.grace,
        concurrency: function.concurrency(),
        logging: function.logging,
    })
}

fn platform(prepared: &Prepared, environment: &impl Environment, api: String) -> Platform {
    let found = |variable: &Variable| {
        let value = environment.get(*variable)?.into_string().ok()?;
        Some((variable.name().to_owned(), value.into()))
    };
    let credentials = match &prepared.credentials {
        Some(own) => own.variables(),
        None => HANDED_ON.iter().filter_map(found).collect(),
    };
    Platform {
        api,
        log_stream: log_stream(&prepared.function.version),
        credentials,
        metadata_token: uuid::Uuid::new_v4().to_string().into(),
    }
}

fn log_stream(version: &str) -> String {
    let today =
        jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).strftime("%Y/%m/%d").to_string();
    format!("{today}/[{version}]{}", uuid::Uuid::new_v4().simple())
}

/// Where extensions are looked for.
fn opt(prepared: &Prepared) -> PathBuf {
    match &prepared.boot {
        Boot::Runtime { layout, .. } => layout.opt.clone(),
        Boot::Image(image) => image.entry.root.join("opt"),
        Boot::Command(_) => boot::OPT.into(),
    }
}

/// The runtime's program, or why there is none.
fn runtime(
    prepared: &Prepared,
    environment: &impl Environment,
    platform: &Platform,
) -> io::Result<Result<Program, String>> {
    let function = &prepared.function;
    Ok(match &prepared.boot {
        Boot::Runtime { family, layout } => {
            match boot::bootstrap(family, layout, &function.handler) {
                Ok(path) => Ok(Program {
                    path,
                    arguments: Vec::new(),
                    variables: environment::build(function, family, layout, platform),
                    directory: layout.task.clone(),
                    user: prepared.place.user(),
                    // Runtimes of AWS's own know it; others would only inherit it.
                    log: family.execution_env.then_some(LOG),
                }),
                Err(places) => Err(missing(&places)),
            }
        }
        Boot::Image(image) => {
            let variables =
                environment::of_image(function, &image.variables, &image.command, platform);
            Ok(contained(&image.entry, variables)?)
        }
        Boot::Command(words) => Ok(command(prepared, words, environment, platform)?),
    })
}

/// This program, which becomes another in an image's root.
fn contained(entry: &Entry, variables: Variables) -> io::Result<Program> {
    Ok(Program {
        path: std::env::current_exe()?,
        arguments: entry.arguments(),
        variables,
        directory: "/".into(),
        user: None,
        log: None,
    })
}

fn command(
    prepared: &Prepared,
    words: &[OsString],
    environment: &impl Environment,
    platform: &Platform,
) -> io::Result<Program> {
    let (path, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let handler = words.last().filter(|_| words.len() > 1).and_then(|last| last.to_str());
    let inherited = environment.all();
    Ok(Program {
        path: PathBuf::from(path),
        arguments: arguments.to_vec(),
        variables: environment::of_command(&prepared.function, &inherited, handler, platform),
        directory: std::env::current_dir()?,
        user: None,
        log: None,
    })
}

fn extension(prepared: &Prepared, path: &Path, variables: Variables) -> io::Result<Program> {
    if let Boot::Image(image) = &prepared.boot {
        let inside = Path::new("/").join(path.strip_prefix(&image.entry.root).unwrap_or(path));
        let entry = Entry { program: vec![inside.into()], ..image.entry.clone() };
        return contained(&entry, variables);
    }
    let directory = match &prepared.boot {
        Boot::Runtime { layout: Layout { task, .. }, .. } => task.clone(),
        Boot::Image(_) | Boot::Command(_) => std::env::current_dir()?,
    };
    let (path, user) = (path.to_path_buf(), prepared.place.user());
    Ok(Program { path, arguments: Vec::new(), variables, directory, user, log: None })
}

fn missing(places: &[PathBuf]) -> String {
    let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    format!("Couldn't find valid bootstrap(s): [{}]", places.join(" "))
}
