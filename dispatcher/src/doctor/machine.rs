//! The launchers of this machine: whether Docker answers and has the images, whether the runner's program is there.

use std::collections::BTreeSet;
use std::time::Duration;

use bollard::Docker as Engine;
use runner::causes::causes;
use runner::function::runtime;
use tokio::process::Command;

use super::Patient;
use super::finding::Finding;
use super::functions::Wired;
use crate::attach::call::quoted;
use crate::place;

/// How long something here may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Checks Docker, and the images that attached functions need; where none are attached, those of all families.
pub(super) async fn docker(patient: &Patient<'_>, wired: &[Wired]) -> Vec<Finding> {
    let engine = match answering().await {
        Ok((engine, version)) => {
            (engine, Finding::well("docker", format!("answers, version {version}")))
        }
        Err(why) => {
            return vec![Finding::wrong(
                "docker",
                format!("expected the Docker Engine to answer: {why}"),
                "start it, or set DOCKER_HOST; its socket must be open to this user",
            )];
        }
    };
    let (engine, answers) = engine;
    let mut findings = vec![answers];
    let (needed, likely) = images(patient, wired, &mut findings);
    for image in needed.union(&likely) {
        let subject = format!("image {image}");
        findings.push(match engine.inspect_image(image).await {
            Ok(_) => Finding::well(&subject, "is there"),
            Err(_) if !needed.contains(image) => {
                Finding::note(&subject, "is not here: functions that need it cannot be run")
            }
            Err(error) => Finding::wrong(
                &subject,
                format!("expected it in Docker: {}", causes(&error)),
                format!("make images, or: docker pull {}", quoted(image)),
            ),
        });
    }
    findings
}

async fn answering() -> Result<(Engine, String), String> {
    let engine = Engine::connect_with_defaults().map_err(|error| causes(&error))?;
    let version = tokio::time::timeout(PATIENCE, engine.version()).await;
    let version = version.map_err(|_| format!("no answer in {PATIENCE:?}"))?;
    let version = version.map_err(|error| causes(&error))?.version.unwrap_or_default();
    Ok((engine, version))
}

/// The images of attached functions, and those of all families.
fn images(
    patient: &Patient<'_>,
    wired: &[Wired],
    findings: &mut Vec<Finding>,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let settings = &patient.config.docker;
    let mut needed = BTreeSet::new();
    for Wired { function } in wired {
        match place::named(function, &settings.image, &settings.images, "[docker.images]") {
            Ok(image) => drop(needed.insert(image)),
            Err(why) => findings.push(Finding::wrong(
                &format!("function {}", function.arn),
                why,
                "name an image in [docker.images]",
            )),
        }
    }
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86-64" };
    let families = runtime::families().iter().filter(|_| !settings.image.contains("{runtime}"));
    let likely = families.map(|family| place::filled(&settings.image, "", &family.name, arch));
    (needed, likely.collect())
}

/// Checks the runner's program.
pub(super) async fn process(patient: &Patient<'_>) -> Finding {
    let runner = &patient.config.process.runner;
    let subject = format!("runner {}", runner.display());
    let mend = "make build, and name it in [process] runner or put it into PATH";
    let asked = Command::new(runner).arg("--version").output();
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(output)) if output.status.success() => {
            Finding::well(&subject, String::from_utf8_lossy(&output.stdout).trim())
        }
        Ok(Ok(output)) => Finding::wrong(
            &subject,
            format!("expected it to tell its version, found {}", output.status),
            mend,
        ),
        Ok(Err(error)) => Finding::wrong(&subject, format!("expected the program: {error}"), mend),
        Err(_) => Finding::wrong(
            &subject,
            format!("expected it to tell its version, found no answer in {PATIENCE:?}"),
            mend,
        ),
    }
}
