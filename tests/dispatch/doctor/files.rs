//! A file system that the role of the tasks may not mount is found, and mended as it is said.

use std::sync::{Arc, Mutex};

use e2e::query;
use serde_json::Value;

use super::{Deployment, mend};

const ACTIONS: [&str; 2] = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"];

/// IAM, as far as it tells what a role may do, which moto does not: these actions not, as long as they are named here.
fn simulating(denied: Arc<Mutex<Vec<&'static str>>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let url = query(move |_, form| {
        if !form.contains("elasticfilesystem") {
            return (403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>".to_owned());
        }
        log.lock().unwrap().push(form.to_owned());
        let results = ACTIONS.map(|action| {
            let refused = denied.lock().unwrap().contains(&action);
            let decision = if refused { "implicitDeny" } else { "allowed" };
            format!("<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision></member>")
        });
        let results = results.concat();
        (
            200,
            format!(
                "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>{results}</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
            ),
        )
    });
    (url, asked)
}

#[test]
fn a_role_that_may_not_mount_a_functions_file_system_is_found() {
    let deployment = Deployment::new();
    let (world, lambda) = (&deployment.world, deployment.world.plane.variables()[0].1);
    let made = world.moto.script(&format!(
        "efs = client('efs')\n\
         made = efs.create_access_point(ClientToken='t', FileSystemId=efs.create_file_system(CreationToken='t')['FileSystemId'])\n\
         mount = {{'Arn': made['AccessPointArn'], 'LocalMountPath': '/mnt/data'}}\n\
         client('lambda', endpoint_url={lambda:?}).update_function_configuration(FunctionName='resize', FileSystemConfigs=[mount])\n\
         result = [made['FileSystemId'], made['AccessPointArn']]"
    ));
    let [id, point] = [0, 1].map(|at| made[at].as_str().unwrap().to_owned());
    let denied = Arc::new(Mutex::new(ACTIONS.to_vec()));
    let (iam, asked) = simulating(Arc::clone(&denied));
    let told = || {
        let mut command = world.command(&["doctor", "--json"]);
        let output = command.env("AWS_ENDPOINT_URL_IAM", &iam).output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let about = |one: &&Value| one["subject"].as_str().unwrap().starts_with("file system of");
        told.as_array().unwrap().iter().find(about).unwrap_or_else(|| panic!("{told}")).clone()
    };
    let finding = told();
    assert_eq!(finding["verdict"], "note", "{finding}");
    world.moto.script(&format!("client('efs').put_file_system_policy(FileSystemId={id:?}, Policy=json.dumps({{'Statement': []}}))"));
    let finding = told();
    assert_eq!(finding["verdict"], "wrong", "{finding}");
    assert!(
        finding["says"]
            .as_str()
            .unwrap()
            .contains(&format!("file-system/{id} for arn:aws:iam::123456789012:role/task")),
        "{finding}"
    );
    mend(world, finding["mend"].as_str().unwrap().split(" (or its").next().unwrap());
    let given = world.moto.script(&format!(
        "result = client('iam').get_role_policy(RoleName='task', PolicyName='immortal-files-' + {point:?}.split('/')[1])['PolicyDocument']['Statement'][0]"
    ));
    assert_eq!(given["Condition"]["StringEquals"]["elasticfilesystem:AccessPointArn"], point);
    *denied.lock().unwrap() = vec![ACTIONS[1]];
    assert!(told()["says"].as_str().unwrap().contains("it could only be read"));
    denied.lock().unwrap().clear();
    assert_eq!(told()["verdict"], "well");
    // The condition of the template's own policy has to hold for what is asked.
    let by = format!("ContextKeyValues.member.1={}", point.replace(':', "%3A").replace('/', "%2F"));
    assert!(
        asked
            .lock()
            .unwrap()
            .iter()
            .all(|form| form.replace("%2E", ".").replace("%2D", "-").contains(&by)),
        "{asked:?}"
    );
    world.moto.script(&format!(
        "client('efs').delete_access_point(AccessPointId={point:?}.split('/')[1])"
    ));
    assert!(told()["says"].as_str().unwrap().contains("expected the access point"));
}
