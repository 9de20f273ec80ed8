//! Roles of IAM: whom they trust, which policies they have, what they may do. Owns the questions; what the answers mean
//! is the business of whoever asks.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::signed::{IAM, List, Refused, Signed};

/// What a role may do of what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Simulated {
    /// All of it.
    Allowed,
    /// These actions not.
    Denied(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetRole {
    get_role_result: GetRoleResult,
}
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetRoleResult {
    role: RoleDetail,
}
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoleDetail {
    assume_role_policy_document: String,
}

/// The trust policy of a role, by name.
pub async fn trust(signed: &Signed, role: &str) -> Result<Value, Refused> {
    let answer: GetRole = signed.call(IAM, "GetRole", &json!({ "RoleName": role })).await?;
    Ok(document(&answer.get_role_result.role.assume_role_policy_document))
}

/// Policies come percent-encoded (IAM API reference, `Role`).
fn document(text: &str) -> Value {
    let text = percent_decode_str(text).decode_utf8_lossy();
    serde_json::from_str(&text).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListRolePolicies {
    list_role_policies_result: PolicyNames,
}
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyNames {
    #[serde(default)]
    policy_names: List<String>,
}

/// Names of a role's inline policies.
pub async fn inline(signed: &Signed, role: &str) -> Result<Vec<String>, Refused> {
    let asked = json!({ "RoleName": role, "MaxItems": 1000 });
    let answer: ListRolePolicies = signed.call(IAM, "ListRolePolicies", &asked).await?;
    Ok(answer.list_role_policies_result.policy_names.items)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetRolePolicy {
    get_role_policy_result: PolicyDetail,
}
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyDetail {
    policy_document: String,
}

/// One inline policy of a role.
pub async fn inline_policy(signed: &Signed, role: &str, policy: &str) -> Result<Value, Refused> {
    let asked = json!({ "RoleName": role, "PolicyName": policy });
    let answer: GetRolePolicy = signed.call(IAM, "GetRolePolicy", &asked).await?;
    Ok(document(&answer.get_role_policy_result.policy_document))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simulation {
    simulate_principal_policy_result: Evaluations,
}
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Evaluations {
    #[serde(default)]
    evaluation_results: List<Evaluation>,
}
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Evaluation {
    eval_action_name: String,
    eval_decision: String,
}

/// Whether a role, by ARN, may do this with that, where these keys of conditions have these values: as far as its own
/// policies say.
pub async fn simulate(
    signed: &Signed,
    role: &str,
    actions: &[&str],
    resource: &str,
    context: &[(&str, &str)],
) -> Result<Simulated, Refused> {
    let mut asked = json!({
        "PolicySourceArn": role, "ActionNames.member": actions, "ResourceArns.member": [resource],
    });
    for (number, (key, value)) in (1..).zip(context) {
        let entry = format!("ContextEntries.member.{number}.ContextKey");
        asked[format!("{entry}Name")] = json!(key);
        asked[format!("{entry}Type")] = json!("string");
        asked[format!("{entry}Values.member")] = json!([value]);
    }
    let answer: Simulation = signed.call(IAM, "SimulatePrincipalPolicy", &asked).await?;
    let results = answer.simulate_principal_policy_result.evaluation_results.items;
    let denied = results.into_iter().filter(|one| one.eval_decision != "allowed");
    let denied: Vec<String> = denied.map(|one| one.eval_action_name).collect();
    Ok(if denied.is_empty() { Simulated::Allowed } else { Simulated::Denied(denied) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_encoded_or_not() {
        let plain = r#"{"Version":"2012-10-17","Statement":[]}"#;
        let encoded = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D";
        assert_eq!(document(plain), document(encoded));
        assert_eq!(document(plain)["Version"], "2012-10-17");
    }
}
