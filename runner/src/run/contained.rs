//! Container-image functions: pulled and unpacked, or found in the container's own image, and how their program is
//! started. Pure but for `pulled`.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use ledger::Redacted;

use super::error::RunError;
use crate::aws;
use crate::config::{Code, Environment, Variable};
use crate::function::Image;
use crate::image::enter::Entry;
use crate::image::{self, Fault, ImageError, Process, Reference};
use crate::output;
use crate::place::{Place, SANDBOX};
use crate::unpack::{Limits, Stats};

/// An image whose files are in place.
#[derive(Debug)]
pub(super) struct Started {
    /// How its program is started.
    pub(super) entry: Entry,
    /// The image's variables.
    pub(super) variables: Vec<String>,
    /// Its command, whose first word is the handler.
    pub(super) command: Vec<String>,
}

/// Whether the container's own image is that of the function.
pub(super) fn is_here(environment: &impl Environment) -> bool {
    environment.get(Variable::Image).is_some_and(|said| said == "here")
}

/// Pulls a function's image into its root directory, or finds that it is here.
pub(super) async fn pulled(
    image: &Image,
    place: &Place,
    code: &Code,
    environment: &impl Environment,
) -> Result<Started, RunError> {
    let reference: Reference = image.reference.parse()?;
    let failed = |fault| ImageError { image: reference.to_string(), fault };
    if !nix::unistd::geteuid().is_root() {
        return Err(failed(Fault::NotRoot).into());
    }
    let home = environment.get(Variable::Home).map(PathBuf::from);
    if is_here(environment) {
        let login = login(&reference, code, home.as_deref()).await?;
        let process = image::look(&reference, login).await?;
        return started(image, process, "/".into()).ok_or_else(|| failed(Fault::NoProgram).into());
    }
    place.clear_root()?;
    let root = place.root();
    let process = pull(&reference, root.clone(), code, home.as_deref(), Limits::image()).await?;
    image::furnish(&root).map_err(failed)?;
    started(image, process, root).ok_or_else(|| failed(Fault::NoProgram).into())
}

/// Pulls an image into a directory, and says so.
pub(super) async fn pull(
    reference: &Reference,
    root: PathBuf,
    code: &Code,
    home: Option<&Path>,
    limits: Limits,
) -> Result<Process, RunError> {
    let began = Instant::now();
    let login = login(reference, code, home).await?;
    let (process, stats) = image::pull(reference, login, root, limits).await?;
    if !io::stderr().is_terminal() {
        output::line(&mut io::stderr(), &summary(reference, stats, began.elapsed().as_secs_f64()));
    }
    Ok(process)
}

/// How the registry knows us: as we are told, or by our role where it is Amazon's.
async fn login(
    reference: &Reference,
    code: &Code,
    home: Option<&Path>,
) -> Result<Option<Redacted<String>>, RunError> {
    let given = image::login(reference, code.registry_auth.as_ref(), home);
    match (given, reference.ecr_region()) {
        (None, Some(region)) => Ok(Some(aws::registry_login(region).await?)),
        (login, _) => Ok(login),
    }
}

fn summary(reference: &Reference, stats: Stats, seconds: f64) -> String {
    let (bytes, files) = (indicatif::DecimalBytes(stats.bytes), stats.files + stats.links);
    format!("immortal-runner: image {reference}: {bytes} in {files} files in {seconds:.2} s")
}

/// What the function says, else what the image says; no program if neither says any.
fn started(image: &Image, process: Process, root: PathBuf) -> Option<Started> {
    // As with Docker, another entry point leaves nothing of the image's command.
    let own = if image.entry_point.is_some() { Vec::new() } else { process.cmd };
    let entry_point = image.entry_point.clone().unwrap_or(process.entrypoint);
    let command = image.command.clone().unwrap_or(own);
    let program: Vec<OsString> = entry_point.iter().chain(&command).map(OsString::from).collect();
    if program.is_empty() {
        return None;
    }
    let directory = image.directory.clone().unwrap_or(process.working_dir);
    let directory = Path::new("/").join(directory);
    let entry = Entry { root, uid: SANDBOX.uid, gid: SANDBOX.gid, directory, program };
    Some(Started { entry, variables: process.env, command })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_function_overrides_the_image() {
        let process = || Process {
            entrypoint: words("/entry -v"),
            cmd: words("app.run"),
            working_dir: "/work".to_owned(),
            ..Process::default()
        };
        let program = |image: &Image| {
            let started = started(image, process(), "/r".into()).unwrap();
            let parts: Vec<_> =
                started.entry.program.iter().map(|it| it.to_string_lossy().into_owned()).collect();
            (parts.join(" "), started.command.join(" "), started.entry.directory)
        };
        let mut image = Image::default();
        let all = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), PathBuf::from(c));
        assert_eq!(program(&image), all("/entry -v app.run", "app.run", "/work"));
        image.command = Some(words("other.run"));
        image.directory = Some("/elsewhere".to_owned());
        assert_eq!(program(&image), all("/entry -v other.run", "other.run", "/elsewhere"));
        image.command = None;
        image.entry_point = Some(words("/mine"));
        assert_eq!(program(&image), all("/mine", "", "/elsewhere"));
        let none = Process::default();
        assert!(started(&Image::default(), none, "/r".into()).is_none());
    }
}
