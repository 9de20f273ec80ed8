//! Which task definition: one that the configuration names, or one that has to be made from it, since a request cannot
//! change image or volumes. Pure; `launch` makes it.

use ledger::JobId;
use serde::{Deserialize, Serialize};

use super::{Settings, named};
use crate::function::{Code, FileSystem, Function};
use crate::resolve::allow::matches;

/// What a task definition is made of that belongs to an image, or to a file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Own {
    /// The task definition that everything else is taken from.
    pub base: String,
    /// The function's image, by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_system: Option<FileSystem>,
}

impl Own {
    /// The family's name: another for every image, and every file system. At most 255 letters, digits, `-` and `_`.
    pub fn family(&self) -> String {
        let base = self.base.rsplit('/').next().unwrap_or_default();
        let base = base.split(':').next().unwrap_or_default();
        let content = serde_json::to_vec(self).expect("strings in memory");
        let digest = JobId::from_digest(&content);
        let digest = digest.as_str();
        format!("{base:.200}-{digest:.16}")
    }
}

/// Name of a function's task definition, and what it is made of where it is made for the function.
pub fn definition(
    function: &Function,
    settings: &Settings,
) -> Result<(String, Option<Own>), String> {
    let single = settings.functions.iter().find(|(pattern, _)| matches(pattern, &function.name));
    if let Some((_, definition)) = single {
        return Ok((definition.clone(), None));
    }
    let base =
        named(function, &settings.task_definition, &settings.definitions, "[ecs.definitions]")?;
    let image = match &function.code {
        // Where a definition is named for images, the runner in it pulls them.
        Code::Image(image) if !settings.definitions.contains_key("image") => Some(image.clone()),
        _ => None,
    };
    if image.is_none() && function.file_system.is_none() {
        return Ok((base, None));
    }
    let file_system = function.file_system.clone();
    if let Some(other) = file_system.as_ref().filter(|found| found.access_point().is_none()) {
        return Err(format!(
            "expected an access point of EFS, found {} at {} for `{}`: make a task definition that mounts it and name it in [ecs.functions]",
            other.arn, other.mount, function.name
        ));
    }
    let own = Own { base, image, file_system };
    Ok((own.family(), Some(own)))
}
