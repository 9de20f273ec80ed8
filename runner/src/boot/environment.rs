//! The environment of the function's process, built from nothing, as Lambda builds it (developer
//! guide, "Using Lambda environment variables"; values as recorded on AWS). Pure.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use ledger::Redacted;

use super::{Layout, OPT};
use crate::function::Function;
use crate::function::runtime::Family;
use crate::telemetry::Format;
use crate::telemetry::record::InitKind;

/// Names and values.
pub type Variables = BTreeMap<String, Redacted<String>>;

/// What of the run, beside the function, shows in its environment.
#[derive(Debug, Clone)]
pub struct Platform {
    /// `host:port` of the Runtime API.
    pub api: String,
    /// `YYYY/MM/DD/[version]` and 32 hexadecimal digits.
    pub log_stream: String,
    /// How to find credentials, handed on from the supervisor.
    pub credentials: Variables,
    /// `AWS_LAMBDA_METADATA_TOKEN`
    pub metadata_token: Redacted<String>,
}

/// All variables of the runtime's process. A function's own variables take the place of all but
/// the reserved ones.
pub fn build(
    function: &Function,
    family: &Family,
    layout: &Layout,
    platform: &Platform,
) -> Variables {
    let mut variables = defaults(function, family, layout);
    variables.extend(function.variables.clone());
    variables.extend(reserved(function, family, layout, platform));
    variables.extend(platform.credentials.clone());
    variables
}

/// What a function may change.
fn defaults(function: &Function, family: &Family, layout: &Layout) -> Variables {
    let task = layout.task.display();
    let (runtime, opt) = (layout.runtime.display(), layout.opt.display());
    let lang = if family.without_lang.contains(&function.runtime) {
        ["", ""]
    } else {
        ["/var/lang/bin:", "/var/lang/lib:"]
    };
    let mut variables = plain([
        ("PATH", format!("{}/usr/local/bin:/usr/bin/:/bin:{opt}/bin", lang[0])),
        (
            "LD_LIBRARY_PATH",
            format!(
                "{}/lib64:/usr/lib64:{runtime}:{runtime}/lib:{task}:{task}/lib:{opt}/lib",
                lang[1]
            ),
        ),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".to_owned()),
        ("AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000".to_owned()),
    ]);
    let (version, major) = version(&function.runtime);
    let fill = |text: &String| {
        let places =
            [("{task}", &layout.task), ("{opt}", &layout.opt), ("{runtime}", &layout.runtime)];
        let text = text.replace("{major}", major).replace("{version}", version);
        let text = text.replace("{identifier}", &function.runtime);
        Redacted::new(
            places
                .iter()
                .fold(text, |text, (name, path)| text.replace(name, &path.display().to_string())),
        )
    };
    variables.extend(family.environment.iter().map(|(name, text)| (name.clone(), fill(text))));
    variables
}

/// What a function may not change (developer guide, "Reserved environment variables").
fn reserved(
    function: &Function,
    family: &Family,
    layout: &Layout,
    platform: &Platform,
) -> Variables {
    let mut variables = identity(function, platform);
    variables.extend(plain([
        ("_HANDLER", function.handler.clone()),
        ("LAMBDA_TASK_ROOT", layout.task.display().to_string()),
        ("LAMBDA_RUNTIME_DIR", layout.runtime.display().to_string()),
    ]));
    if family.execution_env {
        variables.insert(
            "AWS_EXECUTION_ENV".to_owned(),
            format!("AWS_Lambda_{}", function.runtime).into(),
        );
    }
    // Our own bootstraps look for layers here; it is gone before the function's code runs.
    if layout.opt != Path::new(OPT) {
        variables.insert("IMMORTAL_OPT".to_owned(), layout.opt.display().to_string().into());
    }
    variables
}

/// What an external extension does not see of the function's variables (developer guide, "Using the
/// Lambda Extensions API"); nor does it see any whose name begins with an underscore.
const NOT_FOR_EXTENSIONS: [&str; 7] = [
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// All variables of an external extension's process: those of the runtime's but for some.
pub fn of_extension(mut runtime: Variables) -> Variables {
    runtime
        .retain(|name, _| !name.starts_with('_') && !NOT_FOR_EXTENSIONS.contains(&name.as_str()));
    runtime
}

/// All variables of a program that runs where this one was put: what was there already, as AWS's
/// own emulator has it, and over it what any function is told. `handler` is the last of several
/// arguments.
pub fn of_command(
    function: &Function,
    inherited: &[(OsString, OsString)],
    handler: Option<&str>,
    platform: &Platform,
) -> Variables {
    let text = |text: &OsString| text.clone().into_string().ok();
    let mut variables: Variables = inherited
        .iter()
        .filter_map(|(name, value)| Some((text(name)?, text(value)?.into())))
        .collect();
    variables.extend(function.variables.clone());
    variables.extend(identity(function, platform));
    variables.extend(handler.map(|it| ("_HANDLER".to_owned(), it.to_owned().into())));
    variables
}

/// How the function's log is written, where that is not as it always was.
fn logging(function: &Function) -> Variables {
    if function.logging.format == Format::Text {
        return Variables::new();
    }
    plain([
        ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ("AWS_LAMBDA_LOG_LEVEL", function.logging.application.name().to_owned()),
    ])
}

/// What any function is told about itself.
fn identity(function: &Function, platform: &Platform) -> Variables {
    let kind = match function.concurrency() {
        Some(_) => InitKind::ManagedInstances,
        None => InitKind::OnDemand,
    };
    let mut variables = logging(function);
    variables.extend(plain([
        ("AWS_REGION", function.region.clone()),
        ("AWS_DEFAULT_REGION", function.region.clone()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", function.version.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", function.log_group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", platform.log_stream.clone()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", kind.name().to_owned()),
        ("AWS_LAMBDA_RUNTIME_API", platform.api.clone()),
        ("AWS_LAMBDA_METADATA_API", platform.api.clone()),
        ("AWS_LAMBDA_METADATA_TOKEN", platform.metadata_token.expose().clone()),
        ("_AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1".to_owned()),
        ("_AWS_XRAY_DAEMON_PORT", "2000".to_owned()),
    ]));
    variables
}

/// Where programs are looked for in an image that does not say it, as in Docker.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// All variables of a container image's process: the image's, over them the function's own, over
/// them what it may not change. `command` is the image's CMD, whose first word is the handler.
pub fn of_image(
    function: &Function,
    image: &[String],
    command: &[String],
    platform: &Platform,
) -> Variables {
    let mut variables = plain([("PATH", PATH.to_owned())]);
    let pairs = image.iter().filter_map(|pair| pair.split_once('='));
    variables.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned().into())));
    variables.extend(function.variables.clone());
    variables.extend(identity(function, platform));
    variables.extend(plain([("AWS_EXECUTION_ENV", "AWS_Lambda_Image".to_owned())]));
    variables.extend(command.first().map(|it| ("_HANDLER".to_owned(), it.clone().into())));
    variables.extend(platform.credentials.clone());
    variables
}

fn plain<const N: usize>(pairs: [(&str, String); N]) -> Variables {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// The number in an identifier, and that up to its dot: `python3.13` → `3.13`, `3`; `nodejs22.x` → `22`, `22`.
fn version(identifier: &str) -> (&str, &str) {
    let digits = identifier
        .find(|letter: char| letter.is_ascii_digit())
        .map_or("", |start| &identifier[start..]);
    let end = digits.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let version = digits[..end.unwrap_or(digits.len())].trim_end_matches('.');
    (version, version.split('.').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LocalFunction;
    use crate::function::{local, runtime};

    fn built(identifier: &str, own: &[(&str, &str)], opt: &str) -> BTreeMap<String, String> {
        let code = LocalFunction {
            code: "f.zip".into(),
            layers: vec![],
            runtime: identifier.into(),
            handler: "app.handler".into(),
        };
        let mut function = local::describe(&code, "eu-west-1");
        function.variables = own
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned().into()))
            .collect();
        let layout =
            Layout { task: "/var/task".into(), opt: opt.into(), runtime: "/var/runtime".into() };
        let family = runtime::find(identifier).unwrap();
        let variables = build(&function, family, &layout, &platform());
        variables.into_iter().map(|(name, value)| (name, value.into_inner())).collect()
    }

    fn platform() -> Platform {
        Platform {
            api: "127.0.0.1:9001".into(),
            log_stream: "s".into(),
            credentials: Variables::new(),
            metadata_token: Redacted::default(),
        }
    }

    #[test]
    fn an_image_has_its_own_variables_under_those_of_the_function() {
        let code = LocalFunction {
            code: "f.zip".into(),
            layers: Vec::new(),
            runtime: "provided.al2023".into(),
            handler: String::new(),
        };
        let mut function = local::describe(&code, "eu-west-1");
        function.variables.insert("A".to_owned(), "function".to_owned().into());
        let image = ["A=image", "B=image=1", "AWS_REGION=x", "C"].map(str::to_owned);
        let variables = of_image(&function, &image, &["app.run".to_owned()], &platform());
        let value = |name: &str| variables.get(name).map(|it| it.expose().as_str());
        assert_eq!((value("A"), value("B"), value("C")), (Some("function"), Some("image=1"), None));
        assert_eq!((value("_HANDLER"), value("PATH")), (Some("app.run"), Some(PATH)));
        assert_eq!(value("AWS_REGION"), Some(&*function.region));
        assert_eq!(value("AWS_EXECUTION_ENV"), Some("AWS_Lambda_Image"));
    }

    #[test]
    fn paths_are_those_recorded_on_lambda() {
        let python = built("python3.13", &[], "/opt");
        assert_eq!(python["PATH"], "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin");
        let libraries = "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib";
        assert_eq!(python["LD_LIBRARY_PATH"], libraries);
        assert_eq!(
            built("provided.al2", &[], "/opt")["PATH"],
            "/usr/local/bin:/usr/bin/:/bin:/opt/bin"
        );
        let node = "/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task";
        assert_eq!(built("nodejs22.x", &[], "/opt")["NODE_PATH"], node);
    }

    #[test]
    fn the_function_sets_what_is_not_reserved() {
        let own = [("TZ", "Europe/Sofia"), ("_HANDLER", "x"), ("AWS_REGION", "x"), ("A", "b")];
        let built = built("python3.13", &own, "/opt");
        assert_eq!((built["TZ"].as_str(), built["A"].as_str()), ("Europe/Sofia", "b"));
        assert_eq!(
            (built["_HANDLER"].as_str(), built["AWS_REGION"].as_str()),
            ("app.handler", "eu-west-1")
        );
    }

    #[test]
    fn a_custom_runtime_has_no_execution_environment_name() {
        assert_eq!(built("python3.13", &[], "/opt")["AWS_EXECUTION_ENV"], "AWS_Lambda_python3.13");
        assert!(!built("provided.al2023", &[], "/opt").contains_key("AWS_EXECUTION_ENV"));
    }

    #[test]
    fn layers_beside_their_usual_place_are_pointed_to() {
        assert!(!built("python3.13", &[], "/opt").contains_key("IMMORTAL_OPT"));
        let elsewhere = built("nodejs20.x", &[], "/tmp/x/opt");
        assert_eq!(elsewhere["IMMORTAL_OPT"], "/tmp/x/opt");
        assert!(elsewhere["NODE_PATH"].starts_with("/tmp/x/opt/nodejs/node20/node_modules:"));
    }

    #[test]
    fn home_and_user_are_not_set() {
        let built = built("python3.13", &[], "/opt");
        assert!(
            ["HOME", "USER", "HOSTNAME", "TMPDIR"].iter().all(|name| !built.contains_key(*name))
        );
    }
}
