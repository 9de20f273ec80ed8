//! Task definitions that are made for a function's image or file system, from one that is there: once each, when the
//! first task wants it, and again when that one has a new revision. Owns the making; which are wanted is `place`'s.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::types::{
    ContainerCondition, ContainerDefinition, ContainerDependency, EfsAuthorizationConfig,
    EfsAuthorizationConfigIam, EfsTransitEncryption, EfsVolumeConfiguration, KeyValuePair,
    MountPoint, TaskDefinition, Volume,
};

use super::bucket::Bucket;
use super::{Refused, said};
use crate::kept::{Kept, keep};
use crate::place::definition::Own;

/// Definitions are registered one a second in the long run (ECS service quotas).
const A_SECOND: f64 = 1.0;
/// The container that puts the runner beside a function's image, and the volume by which it does.
const INSTALLER: &str = "immortal-install";
/// Where that volume is mounted.
const HOME: &str = "/immortal";
/// The volume that is the function's file system.
const FILES: &str = "immortal-files";
/// A label that says which revision a definition was made from.
const MADE_FROM: &str = "immortal.base";

/// Makes task definitions.
#[derive(Debug)]
pub struct Definitions {
    client: aws_sdk_ecs::Client,
    efs: aws_sdk_efs::Client,
    container: String,
    bucket: Mutex<Bucket>,
    known: Kept<()>,
}

impl Definitions {
    /// None is known yet; `container` is the runner's.
    pub fn new(client: aws_sdk_ecs::Client, efs: aws_sdk_efs::Client, container: &str) -> Self {
        let bucket = Mutex::new(Bucket::new(1, A_SECOND, Instant::now()));
        Self { client, efs, container: container.to_owned(), bucket, known: Kept::default() }
    }

    /// Sees to it that there is a task definition of this family.
    pub async fn ensure(&self, family: &str, own: &Own) -> Result<(), Refused> {
        keep(&self.known, family, || self.made(family, own)).await
    }

    async fn made(&self, family: &str, own: &Own) -> Result<(), Refused> {
        let Some(base) = self.described(&own.base).await? else {
            let base = &own.base;
            return Err(later(
                format!("expected a task definition {base}, found none: register it"),
                60,
            ));
        };
        let known = self.described(family).await?;
        if known.is_some_and(|known| made_from(&known) == base.task_definition_arn()) {
            return Ok(());
        }
        let files = self.files(own).await?;
        let containers = containers(&base, own, &self.container).map_err(|why| later(why, 60))?;
        let turn = self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        tokio::time::sleep(turn).await;
        let request = self
            .client
            .register_task_definition()
            .family(family)
            .set_task_role_arn(base.task_role_arn)
            .set_execution_role_arn(base.execution_role_arn)
            .set_network_mode(base.network_mode)
            .set_container_definitions(Some(containers))
            .set_volumes(Some(volumes(base.volumes, own, files)))
            .set_requires_compatibilities(base.requires_compatibilities)
            .set_cpu(base.cpu)
            .set_memory(base.memory)
            .set_pid_mode(base.pid_mode)
            .set_proxy_configuration(base.proxy_configuration)
            .set_ephemeral_storage(base.ephemeral_storage)
            .set_runtime_platform(base.runtime_platform);
        match request.send().await {
            Ok(_) => {
                tracing::info!(family, "a task definition is registered, made from {}", own.base);
                Ok(())
            }
            Err(error) => Err(failed("RegisterTaskDefinition", family, &error)),
        }
    }

    /// The newest revision of a family.
    async fn described(&self, name: &str) -> Result<Option<TaskDefinition>, Refused> {
        match self.client.describe_task_definition().task_definition(name).send().await {
            Ok(answer) => Ok(answer.task_definition),
            Err(error) if is_absent(error.code(), error.message()) => Ok(None),
            Err(error) => Err(failed("DescribeTaskDefinition", name, &error)),
        }
    }

    /// The volume of the function's file system, whose name only EFS knows by its access point.
    async fn files(&self, own: &Own) -> Result<Option<Volume>, Refused> {
        let Some(point) = own.file_system.as_ref().and_then(|found| found.access_point()) else {
            return Ok(None);
        };
        let answer = self.efs.describe_access_points().access_point_id(point).send().await;
        let answer = answer.map_err(|error| failed("DescribeAccessPoints", point, &error))?;
        let id = answer.access_points().first().and_then(|found| found.file_system_id());
        let id =
            id.ok_or_else(|| later(format!("expected the access point {point}, found none"), 60))?;
        Ok(Some(mounted(id, point)))
    }
}

/// Whether a task definition is not there, in ECS's words.
fn is_absent(code: Option<&str>, message: Option<&str>) -> bool {
    code == Some("ClientException")
        && message.is_some_and(|text| text.starts_with("Unable to describe task definition"))
}

/// What somebody has to mend, or AWS: no job is lost meanwhile.
fn failed<E, R>(operation: &str, what: &str, error: &SdkError<E, R>) -> Refused
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let throttled = error.code().is_some_and(|code| code.contains("Throttl"));
    let seconds = if throttled || error.as_service_error().is_none() { 5 } else { 60 };
    let (why, after) = (said(error), Duration::from_secs(seconds));
    let why = format!("{operation} of {what} failed: {why}");
    Refused::Later { why, after, anew: false, slower: throttled }
}

fn later(why: String, seconds: u64) -> Refused {
    Refused::later(why, Duration::from_secs(seconds))
}

/// The revision that a definition was made from.
fn made_from(definition: &TaskDefinition) -> Option<&str> {
    let labels =
        definition.container_definitions().iter().filter_map(ContainerDefinition::docker_labels);
    labels.flatten().find(|(name, _)| *name == MADE_FROM).map(|(_, value)| value.as_str())
}

/// The containers of the definition: the runner's is the function's own image where it has one, and the runner is put
/// beside it by a container that ends before it starts.
fn containers(
    base: &TaskDefinition,
    own: &Own,
    name: &str,
) -> Result<Vec<ContainerDefinition>, String> {
    let mut all = base.container_definitions().to_vec();
    let Some(runner) = all.iter_mut().find(|container| container.name() == Some(name)) else {
        let found: Vec<&str> =
            base.container_definitions().iter().filter_map(ContainerDefinition::name).collect();
        return Err(format!(
            "expected a container `{name}` in the task definition {}, found {}: set [ecs] container",
            own.base,
            found.join(", ")
        ));
    };
    let arn = base.task_definition_arn().unwrap_or_default();
    let labels = runner.docker_labels.get_or_insert_default();
    labels.insert(MADE_FROM.to_owned(), arn.to_owned());
    if let Some(files) = &own.file_system {
        runner.mount_points.get_or_insert_default().push(mount(FILES, &files.mount, false));
    }
    let installer = own.image.as_ref().map(|image| {
        let installer = installer(runner);
        contain(runner, image);
        installer
    });
    all.extend(installer);
    Ok(all)
}

/// Copies the runner out of its own image, and ends.
fn installer(runner: &ContainerDefinition) -> ContainerDefinition {
    ContainerDefinition::builder()
        .name(INSTALLER)
        .set_image(runner.image.clone())
        .set_repository_credentials(runner.repository_credentials.clone())
        .set_entry_point(runner.entry_point.clone())
        .command("install")
        .command(HOME)
        .essential(false)
        .set_log_configuration(runner.log_configuration.clone())
        .mount_points(mount(INSTALLER, HOME, false))
        .build()
}

/// The same container, of the function's image: root, since the runner gives up its rights by itself, whoever the
/// image is made for.
fn contain(runner: &mut ContainerDefinition, image: &str) {
    runner.image = Some(image.to_owned());
    runner.repository_credentials = None;
    runner.entry_point = Some(vec![format!("{HOME}/immortal-runner")]);
    runner.command = None;
    runner.user = Some("0".to_owned());
    runner.working_directory = Some("/".to_owned());
    let here = KeyValuePair::builder().name("IMMORTAL_IMAGE").value("here").build();
    runner.environment.get_or_insert_default().push(here);
    runner.mount_points.get_or_insert_default().push(mount(INSTALLER, HOME, true));
    let installed = ContainerDependency::builder()
        .container_name(INSTALLER)
        .condition(ContainerCondition::Success)
        .build()
        .expect("it has both");
    runner.depends_on.get_or_insert_default().push(installed);
}

fn mount(volume: &str, at: &str, read_only: bool) -> MountPoint {
    MountPoint::builder().source_volume(volume).container_path(at).read_only(read_only).build()
}

fn volumes(base: Option<Vec<Volume>>, own: &Own, files: Option<Volume>) -> Vec<Volume> {
    let shared = own.image.as_ref().map(|_| Volume::builder().name(INSTALLER).build());
    base.into_iter().flatten().chain(shared).chain(files).collect()
}

/// As Lambda mounts it: encrypted, by the access point, with the rights of the role.
fn mounted(file_system: &str, point: &str) -> Volume {
    let authorization = EfsAuthorizationConfig::builder()
        .access_point_id(point)
        .iam(EfsAuthorizationConfigIam::Enabled)
        .build();
    let efs = EfsVolumeConfiguration::builder()
        .file_system_id(file_system)
        .transit_encryption(EfsTransitEncryption::Enabled)
        .authorization_config(authorization)
        .build()
        .expect("it has a file system");
    Volume::builder().name(FILES).efs_volume_configuration(efs).build()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::LogConfiguration;

    use super::*;
    use crate::function::FileSystem;

    fn base() -> TaskDefinition {
        let logs = LogConfiguration::builder().log_driver("awslogs".into()).build().unwrap();
        let runner = ContainerDefinition::builder()
            .name("runner")
            .image("immortal/provided")
            .log_configuration(logs)
            .stop_timeout(120)
            .environment(KeyValuePair::builder().name("A").value("b").build())
            .build();
        let sidecar = ContainerDefinition::builder().name("sidecar").image("x").build();
        TaskDefinition::builder()
            .task_definition_arn("arn:aws:ecs:eu-west-1:1:task-definition/base:7")
            .container_definitions(sidecar)
            .container_definitions(runner)
            .volumes(Volume::builder().name("theirs").build())
            .build()
    }

    fn own(image: bool, files: bool) -> Own {
        let arn = "arn:aws:elasticfilesystem:eu-west-1:1:access-point/fsap-1".to_owned();
        Own {
            base: "base".into(),
            image: image.then(|| "r/f@sha256:0".into()),
            file_system: files.then(|| FileSystem { arn, mount: "/mnt/data".into() }),
        }
    }

    fn named<'a>(all: &'a [ContainerDefinition], name: &str) -> &'a ContainerDefinition {
        all.iter().find(|one| one.name() == Some(name)).unwrap()
    }

    #[test]
    fn an_image_gets_the_runner_from_a_container_beside_it() {
        let all = containers(&base(), &own(true, false), "runner").unwrap();
        assert_eq!(all.len(), 3);
        let (runner, installer) = (named(&all, "runner"), named(&all, INSTALLER));
        assert_eq!(runner.image(), Some("r/f@sha256:0"));
        assert_eq!(runner.entry_point(), ["/immortal/immortal-runner"]);
        assert_eq!((runner.user(), runner.stop_timeout()), (Some("0"), Some(120)));
        assert_eq!(runner.environment().len(), 2);
        let needed = &runner.depends_on()[0];
        assert_eq!(
            (needed.container_name(), needed.condition()),
            (INSTALLER, &ContainerCondition::Success)
        );
        assert_eq!(runner.mount_points()[0].read_only(), Some(true));
        assert_eq!(
            (installer.image(), installer.essential()),
            (Some("immortal/provided"), Some(false))
        );
        assert_eq!(installer.command(), ["install", "/immortal"]);
        assert_eq!(installer.log_configuration(), runner.log_configuration());
        assert_eq!(named(&all, "sidecar"), &base().container_definitions()[0]);
        let volumes = volumes(base().volumes, &own(true, false), None);
        assert_eq!(
            volumes.iter().filter_map(Volume::name).collect::<Vec<_>>(),
            ["theirs", INSTALLER]
        );
    }

    #[test]
    fn a_file_system_is_mounted_where_the_function_expects_it() {
        let all = containers(&base(), &own(false, true), "runner").unwrap();
        let runner = named(&all, "runner");
        assert_eq!((all.len(), runner.image()), (2, Some("immortal/provided")));
        assert_eq!(runner.mount_points()[0].container_path(), Some("/mnt/data"));
        let volume = mounted("fs-1", "fsap-1");
        let efs = volume.efs_volume_configuration().unwrap();
        assert_eq!((efs.file_system_id(), volume.name()), ("fs-1", Some(FILES)));
        assert_eq!(efs.authorization_config().unwrap().access_point_id(), Some("fsap-1"));
    }

    #[test]
    fn it_is_known_what_a_definition_was_made_from() {
        let all = containers(&base(), &own(true, true), "runner").unwrap();
        let made = TaskDefinition::builder().set_container_definitions(Some(all)).build();
        assert_eq!(made_from(&made), base().task_definition_arn());
        assert_eq!(made_from(&base()), None);
    }

    #[test]
    fn a_base_without_a_runner_is_refused() {
        let why = containers(&base(), &own(true, false), "app").unwrap_err();
        assert!(why.contains("found sidecar, runner") && why.contains("[ecs] container"), "{why}");
    }
}
