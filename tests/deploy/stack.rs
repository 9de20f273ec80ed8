//! A stack made of deploy/template.yaml, as users make one, in an account that is empty at first.

use std::collections::BTreeMap;
use std::fs;

use e2e::{Moto, Package};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Name of the stack.
pub(crate) const NAME: &str = "immortal";
const CALLS: &str = "calls";

/// The account, and what the stack says of itself.
pub(crate) struct Stack {
    pub(crate) moto: Moto,
    pub(crate) outputs: BTreeMap<String, String>,
    directory: TempDir,
}

impl Stack {
    /// Created with these parameters beside those that everybody gives.
    pub(crate) fn with(parameters: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().unwrap();
        let moto = Moto::with_cloudformation(&directory.path().join(CALLS));
        moto.bucket("code");
        moto.put("code/dispatcher.zip", &Package::default().executable("bootstrap", "").bytes());
        let own: BTreeMap<_, _> = parameters.iter().copied().collect();
        let script = format!(
            "subnets = [one['SubnetId'] for one in client('ec2').describe_subnets()['Subnets']][:2]\n\
             given = {{'Subnets': ','.join(subnets), 'CodeBucket': 'code', 'CodeKey': 'dispatcher.zip'}} | {own}\n\
             stacks = client('cloudformation')\n\
             stacks.create_stack(StackName={NAME:?}, TemplateBody=open({path:?}).read(), Capabilities=['CAPABILITY_IAM'],\n\
             \x20   Parameters=[{{'ParameterKey': key, 'ParameterValue': value}} for key, value in given.items()])\n\
             [stack] = stacks.describe_stacks(StackName={NAME:?})['Stacks']\n\
             assert stack['StackStatus'] == 'CREATE_COMPLETE', stack\n\
             result = {{one['OutputKey']: one['OutputValue'] for one in stack['Outputs']}}",
            own = json!(own),
            path = template(),
        );
        let outputs = serde_json::from_value(moto.script(&script)).unwrap();
        Self { moto, outputs, directory }
    }

    /// What was called with the rights of a role so far: role, action, resource, queue, prefix.
    pub(crate) fn calls(&self) -> Vec<Value> {
        let lines = fs::read_to_string(self.directory.path().join(CALLS)).unwrap_or_default();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Workers beside it, as deploy/worker.yaml makes them: what that stack says of itself.
    pub(crate) fn workers(&self, family: &str) -> BTreeMap<String, String> {
        let script = format!(
            "subnets = [one['SubnetId'] for one in client('ec2').describe_subnets()['Subnets']][:2]\n\
             given = {{'Subnets': ','.join(subnets), 'Family': {family:?}, 'Ledger': {ledger:?}}}\n\
             stacks = client('cloudformation')\n\
             stacks.create_stack(StackName='workers', TemplateBody=open({path:?}).read(), Capabilities=['CAPABILITY_IAM'],\n\
             \x20   Parameters=[{{'ParameterKey': key, 'ParameterValue': value}} for key, value in given.items()])\n\
             [stack] = stacks.describe_stacks(StackName='workers')['Stacks']\n\
             assert stack['StackStatus'] == 'CREATE_COMPLETE', stack\n\
             result = {{one['OutputKey']: one['OutputValue'] for one in stack['Outputs']}}",
            ledger = self.output("LedgerAddress"),
            path = e2e::root().join("deploy/worker.yaml").display().to_string(),
        );
        serde_json::from_value(self.moto.script(&script)).unwrap()
    }

    pub(crate) fn output(&self, key: &str) -> &str {
        self.outputs.get(key).unwrap_or_else(|| panic!("{key} is none of {:?}", self.outputs))
    }

    /// What the account's own API says, as `result` of a script.
    pub(crate) fn ask(&self, expression: &str) -> Value {
        self.moto.script(&format!("result = json.loads(json.dumps({expression}, default=str))"))
    }

    /// What a task definition's only container is told.
    pub(crate) fn container(&self, family: &str) -> Value {
        let definition = self.ask(&format!(
            "client('ecs').describe_task_definition(taskDefinition={family:?})['taskDefinition']"
        ));
        definition["containerDefinitions"][0].clone()
    }
}

/// A template as JSON, its intrinsic functions spelled out.
pub(crate) fn read(name: &str) -> Value {
    let script = "import json, sys\nfrom cfnlint.decode import cfn_yaml\nprint(json.dumps(cfn_yaml.load(sys.argv[1])))";
    let path = e2e::root().join("deploy").join(name);
    let python = e2e::root().join(".venv/bin/python");
    let output =
        std::process::Command::new(python).args(["-c", script]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Path of the template.
pub(crate) fn template() -> String {
    e2e::root().join("deploy/template.yaml").display().to_string()
}
