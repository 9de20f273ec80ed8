//! The file systems of attached functions: whether their access points are there, and whether the role of the tasks may
//! mount them (EFS user guide, "Using IAM to control access to file systems"). Who reaches them is the network's business.

use aws_sdk_ecs::types::TaskDefinition;
use aws_sdk_efs::Client;
use serde_json::json;

use super::finding::Finding;
use super::functions::Wired;
use super::{Patient, said};
use crate::attach::call::quoted;
use crate::function::Function;
use crate::place::definition;
use crate::roles::{self, Simulated};

/// Needed to read, and to write.
const MOUNT: &str = "elasticfilesystem:ClientMount";
const WRITE: &str = "elasticfilesystem:ClientWrite";
/// By which access point somebody mounts: a condition of policies, of the template's own too.
const BY: &str = "elasticfilesystem:AccessPointArn";

/// A function's file system, and who is to mount it.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    function: String,
    access_point: String,
    role: String,
}

/// Checks those of the functions whose task definitions are made for them.
pub(super) async fn check(
    patient: &Patient<'_>,
    wired: &[Wired],
    defined: &[TaskDefinition],
) -> Vec<Finding> {
    let client = Client::new(&patient.sdk);
    let mut findings = Vec::new();
    for mount in wired.iter().filter_map(|one| mount(patient, &one.function, defined)) {
        findings.push(mountable(patient, &client, &mount).await);
    }
    findings
}

/// What a task of this function mounts with which role; a definition that the configuration names mounts what it says.
fn mount(patient: &Patient<'_>, function: &Function, defined: &[TaskDefinition]) -> Option<Mount> {
    let settings = &patient.config.ecs;
    let (_, own) = definition::definition(function, settings).ok()?;
    let own = own?;
    let access_point = own.file_system?.arn;
    let base = defined.iter().find(|one| is_called(one, &own.base));
    let role = match settings.task_role.as_deref() {
        Some("function") => &function.role,
        Some(role) => role,
        None => base?.task_role_arn()?,
    };
    Some(Mount { function: function.arn.clone(), access_point, role: role.to_owned() })
}

/// Whether a definition is meant by `FAMILY`, `FAMILY:REVISION` or an ARN.
fn is_called(definition: &TaskDefinition, name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or_default();
    definition.family() == name.split(':').next()
}

async fn mountable(patient: &Patient<'_>, client: &Client, mount: &Mount) -> Finding {
    let subject = format!("file system of {}", mount.function);
    let id = match file_system(client, mount).await {
        Ok(Some(id)) => id,
        Ok(None) => {
            return Finding::wrong(
                &subject,
                format!("expected the access point {}, found none", mount.access_point),
                "deploy it, or give the function another: its tasks would not start",
            );
        }
        Err(why) => return Finding::untold(&subject, why),
    };
    let resource = arn(&mount.access_point, &id);
    let context = [(BY, mount.access_point.as_str())];
    let asked = [MOUNT, WRITE];
    let told = roles::simulate(&patient.signed, &mount.role, &asked, &resource, &context).await;
    let denied = match told {
        Ok(Simulated::Allowed) => Vec::new(),
        Ok(Simulated::Denied(denied)) => denied,
        Err(refused) => {
            let why = format!("whether {} may mount it: {refused}", mount.role);
            return Finding::untold(&subject, why);
        }
    };
    // Without a policy of its own, a file system lets in whoever reaches it.
    let guarded = if denied.is_empty() { Ok(true) } else { has_policy(client, &id).await };
    judge(&subject, mount, &resource, &denied, guarded)
}

/// What that means. Pure.
fn judge(
    subject: &str,
    mount: &Mount,
    resource: &str,
    denied: &[String],
    guarded: Result<bool, String>,
) -> Finding {
    let Mount { role, access_point, .. } = mount;
    if denied.is_empty() {
        return Finding::well(subject, format!("{role} may mount and write {resource}"));
    }
    let list = denied.join(", ");
    match guarded {
        Err(why) => Finding::untold(
            subject,
            format!("whether {role}, which has no {list}, needs it on {resource}: {why}"),
        ),
        Ok(false) => Finding::note(
            subject,
            format!(
                "{resource} has no policy of its own: {role} may mount it without {list}, as everybody may who reaches it"
            ),
        ),
        Ok(true) => {
            let reading = !denied.iter().any(|action| action == MOUNT);
            let then = if reading { "it could only be read" } else { "its tasks would not start" };
            let found = format!(
                "expected {list} on {resource} for {role}, found they are not allowed: {then}, unless the file system's own policy allows them"
            );
            Finding::wrong(subject, found, cure(role, resource, access_point))
        }
    }
}

fn cure(role: &str, resource: &str, access_point: &str) -> String {
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": [MOUNT, WRITE], "Resource": resource,
        "Condition": { "StringEquals": { BY: access_point } },
    }]});
    let name = role.rsplit('/').next().unwrap_or_default();
    let point = access_point.rsplit('/').next().unwrap_or_default();
    format!(
        "aws iam put-role-policy --role-name {name} --policy-name immortal-files-{point} --policy-document {} (or its ARN in FileSystems of the stack)",
        quoted(&policy.to_string())
    )
}

/// The id of the file system that an access point is of.
async fn file_system(client: &Client, mount: &Mount) -> Result<Option<String>, String> {
    let id = mount.access_point.rsplit('/').next().unwrap_or_default();
    match client.describe_access_points().access_point_id(id).send().await {
        Ok(answer) => {
            let point = answer.access_points.unwrap_or_default().into_iter().next();
            Ok(point.and_then(|point| point.file_system_id))
        }
        Err(error) => match said("elasticfilesystem:DescribeAccessPoints", &error) {
            (true, _) => Ok(None),
            (false, why) => Err(why),
        },
    }
}

async fn has_policy(client: &Client, id: &str) -> Result<bool, String> {
    match client.describe_file_system_policy().file_system_id(id).send().await {
        Ok(_) => Ok(true),
        Err(error) => match said("elasticfilesystem:DescribeFileSystemPolicy", &error) {
            (true, _) => Ok(false),
            (false, why) => Err(why),
        },
    }
}

/// The ARN of the file system that this access point is of.
fn arn(access_point: &str, id: &str) -> String {
    let place = access_point.split(":access-point/").next().unwrap_or_default();
    format!("{place}:file-system/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    const POINT: &str = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-1";

    fn judged(denied: &[&str], guarded: Result<bool, String>) -> Finding {
        let mount = Mount {
            function: "f".into(),
            access_point: POINT.into(),
            role: "arn:aws:iam::123456789012:role/path/task".into(),
        };
        let denied: Vec<String> = denied.iter().map(|&action| action.into()).collect();
        judge("file system of f", &mount, &arn(POINT, "fs-1"), &denied, guarded)
    }

    #[test]
    fn what_may_not_be_mounted_is_found_with_its_cure() {
        let found = judged(&[MOUNT, WRITE], Ok(true));
        assert_eq!(found.verdict, Verdict::Wrong);
        assert!(found.says.contains(
            "ClientMount, elasticfilesystem:ClientWrite on arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-1 for"
        ));
        assert!(found.says.contains("its tasks would not start"), "{found:?}");
        let mend = found.mend.unwrap();
        assert!(mend.starts_with(
            "aws iam put-role-policy --role-name task --policy-name immortal-files-fsap-1 "
        ));
        assert!(mend.contains(&format!(r#"{{"StringEquals":{{"{BY}":"{POINT}"}}}}"#)), "{mend}");
        assert!(judged(&[WRITE], Ok(true)).says.contains("it could only be read"));
    }

    #[test]
    fn a_file_system_without_a_policy_lets_everybody_in() {
        assert_eq!(judged(&[], Ok(true)).verdict, Verdict::Well);
        assert_eq!(judged(&[MOUNT], Ok(false)).verdict, Verdict::Note);
        assert_eq!(judged(&[MOUNT], Err("no".into())).verdict, Verdict::Untold);
    }
}
