//! ECS as far as a dispatcher sees it, with the answers that a friendly stand-in never gives: tokens that are kept to,
//! throttles, capacity, answers that are lost, tasks that never start and tasks that are forgotten. Its tasks are real
//! runners, as processes.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// How often what goes wrong, of 1.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// What happens is the same for the same seed and order of calls.
    pub seed: u64,
    /// Calls that are throttled.
    pub throttled: f64,
    /// Launches for which there is no capacity.
    pub capacity: f64,
    /// Answers that are lost after the call was done.
    pub lost: f64,
    /// Tasks that are accepted and never start.
    pub unstarted: f64,
    /// Tasks that are killed as a host dies: without a word, and forgotten.
    pub forgotten: f64,
}

/// A cluster, for as long as this lives.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    runner: PathBuf,
    variables: Vec<(String, String)>,
    faults: Faults,
    calls: BTreeMap<String, u64>,
    tokens: HashMap<String, (Value, Value)>,
    /// What was asked for, token by token, in order.
    asked: Vec<Value>,
    tasks: HashMap<String, Task>,
    conflicts: u64,
    /// Attempts that were started, and how often.
    attempts: BTreeMap<(String, String), u64>,
    /// Revisions of task definitions by family. While there are none, any name is taken for one.
    definitions: BTreeMap<String, Vec<Value>>,
}

#[derive(Debug)]
struct Task {
    child: Option<Child>,
    started_by: Value,
    forgotten: bool,
}

impl Cluster {
    /// A cluster whose tasks are this runner, with these variables beside those of the overrides.
    pub fn start(variables: &[(&str, &str)], faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let state = State {
            runner: crate::runner(),
            variables: variables.iter().map(own).collect(),
            faults,
            calls: BTreeMap::new(),
            tokens: HashMap::new(),
            asked: Vec::new(),
            tasks: HashMap::new(),
            conflicts: 0,
            attempts: BTreeMap::new(),
            definitions: BTreeMap::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { url, state }
    }

    /// Its endpoint.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Registers a task definition, as `RegisterTaskDefinition` is asked for it.
    pub fn register(&self, definition: &Value) {
        assert!(matches!(self.state.lock().unwrap().register(definition), Answer::Json(200, _)));
    }

    /// All revisions of all task definitions, by family.
    pub fn definitions(&self) -> BTreeMap<String, Vec<Value>> {
        self.state.lock().unwrap().definitions.clone()
    }

    /// Forgets all tokens, as ECS does a while after its tasks have stopped.
    pub fn forgets_tokens(&self) {
        self.state.lock().unwrap().tokens.clear();
    }

    /// From now on this goes wrong.
    pub fn suffers(&self, faults: Faults) {
        self.state.lock().unwrap().faults = faults;
    }

    /// How often each operation was called.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.state.lock().unwrap().calls.clone()
    }

    /// How often a token came with other parameters than before.
    pub fn conflicts(&self) -> u64 {
        self.state.lock().unwrap().conflicts
    }

    /// How many starts were of an attempt that had been started before.
    pub fn repeated(&self) -> u64 {
        self.state.lock().unwrap().attempts.values().map(|times| times - 1).sum()
    }

    /// The starts that were asked for, each once.
    pub fn asked(&self) -> Vec<Value> {
        self.state.lock().unwrap().asked.clone()
    }

    /// How many tasks were started.
    pub fn started(&self) -> usize {
        self.state.lock().unwrap().tasks.len()
    }

    /// Kills the runner of a task that is alive, chosen by this number; whether there was one.
    pub fn kill(&self, number: u64) -> bool {
        let mut state = self.state.lock().unwrap();
        let mut alive: Vec<&mut Child> = state
            .tasks
            .values_mut()
            .filter_map(|task| task.child.as_mut())
            .filter_map(|child| matches!(child.try_wait(), Ok(None)).then_some(child))
            .collect();
        if alive.is_empty() {
            return false;
        }
        let at = usize::try_from(number).unwrap_or_default() % alive.len();
        alive[at].kill().is_ok()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for task in self.state.lock().unwrap().tasks.values_mut() {
            let Some(child) = &mut task.child else { continue };
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

enum Answer {
    Json(u16, Value),
    Lost,
}

fn serve(mut stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut operation, mut length, mut line) = (String::new(), 0, String::new());
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let lower = line.to_ascii_lowercase();
            if lower.starts_with("x-amz-target: ") {
                line.trim().rsplit('.').next()?.clone_into(&mut operation);
            }
            length = lower
                .strip_prefix("content-length: ")
                .map_or(length, |length| length.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body: Value = serde_json::from_slice(&body).ok()?;
        let Answer::Json(status, answer) = state.lock().unwrap().answer(&operation, &body) else {
            return None;
        };
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        stream.write_all(format!("{head}{text}").as_bytes()).ok()?;
    }
}

fn error(code: &str, message: &str) -> Answer {
    Answer::Json(400, json!({ "__type": code, "message": message }))
}

impl State {
    fn chance(&self, what: &str) -> f64 {
        let calls: u64 = self.calls.values().sum();
        let mut hasher = DefaultHasher::new();
        (self.faults.seed, what, calls).hash(&mut hasher);
        #[expect(clippy::cast_precision_loss, reason = "53 bits are left")]
        let chance = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
        chance
    }

    fn answer(&mut self, operation: &str, body: &Value) -> Answer {
        *self.calls.entry(operation.to_owned()).or_default() += 1;
        if self.chance("throttled") < self.faults.throttled {
            return match self.chance("spelling") {
                x if x < 0.5 => error("ThrottlingException", "Rate exceeded"),
                _ => error("InvalidParameterException", "Rate exceeded (ErrorCode: Throttling)"),
            };
        }
        match operation {
            "RunTask" => self.run(body),
            "DescribeTasks" => self.describe(body),
            "ListTasks" => self.list(body),
            "RegisterTaskDefinition" => self.register(body),
            "DescribeTaskDefinition" => self.definition(body["taskDefinition"].as_str().unwrap()),
            other => error("InvalidAction", other),
        }
    }

    fn run(&mut self, body: &Value) -> Answer {
        let known = |family| self.definitions.contains_key(family);
        if !self.definitions.is_empty() && !body["taskDefinition"].as_str().is_some_and(known) {
            return error("ClientException", "TaskDefinition not found.");
        }
        let token = body["clientToken"].as_str().unwrap_or_default().to_owned();
        let answer = match self.tokens.get(&token) {
            Some((before, _)) if before != body => {
                self.conflicts += 1;
                return error("ConflictException", "the token was used with other parameters");
            }
            Some((_, answer)) => answer.clone(),
            None => {
                self.asked.push(body.clone());
                let answer = self.launched(body);
                self.tokens.insert(token, (body.clone(), answer.clone()));
                answer
            }
        };
        if self.chance("lost") < self.faults.lost {
            Answer::Lost
        } else {
            Answer::Json(200, answer)
        }
    }

    fn launched(&mut self, body: &Value) -> Value {
        let overrides = body["overrides"].to_string();
        assert!(overrides.len() <= 8_192, "{overrides}");
        if self.chance("capacity") < self.faults.capacity {
            let reason = "Capacity is unavailable at this time. Please try again later or in a different availability zone";
            return json!({ "tasks": [], "failures": [{ "reason": reason }] });
        }
        let arn = format!("arn:aws:ecs:eu-west-1:123456789012:task/immortal/{}", self.tasks.len());
        let child = (self.chance("unstarted") >= self.faults.unstarted).then(|| self.spawned(body));
        let forgotten = self.chance("forgotten") < self.faults.forgotten;
        let task = Task { child, started_by: body["startedBy"].clone(), forgotten };
        let answer =
            json!({ "tasks": [{ "taskArn": arn, "lastStatus": "PROVISIONING" }], "failures": [] });
        self.tasks.insert(arn, task);
        answer
    }

    fn spawned(&mut self, body: &Value) -> Child {
        let environment = &body["overrides"]["containerOverrides"][0]["environment"];
        let told = environment.as_array().into_iter().flatten().filter_map(|variable| {
            Some((variable["name"].as_str()?.to_owned(), variable["value"].as_str()?.to_owned()))
        });
        let told: BTreeMap<String, String> = told.collect();
        let of = |name: &str| told.get(name).cloned().unwrap_or_default();
        *self.attempts.entry((of("IMMORTAL_JOB"), of("IMMORTAL_ATTEMPT"))).or_default() += 1;
        let mut command = Command::new(&self.runner);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.envs(self.variables.iter().cloned()).envs(told).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Refuses what names a volume or a container that is not in it.
    fn register(&mut self, body: &Value) -> Answer {
        let names = |list: &Value, key: &str| -> Vec<Value> {
            list.as_array().into_iter().flatten().map(|one| one[key].clone()).collect()
        };
        let containers = names(&body["containerDefinitions"], "name");
        let volumes = names(&body["volumes"], "name");
        for container in body["containerDefinitions"].as_array().unwrap() {
            let mounted = names(&container["mountPoints"], "sourceVolume");
            let needed = names(&container["dependsOn"], "containerName");
            if !mounted.iter().all(|name| volumes.contains(name))
                || !needed.iter().all(|name| containers.contains(name))
            {
                return error("ClientException", "Unknown volume or container.");
            }
        }
        let family = body["family"].as_str().unwrap();
        let revisions = self.definitions.entry(family.to_owned()).or_default();
        let mut definition = body.clone();
        let number = revisions.len() + 1;
        definition["taskDefinitionArn"] =
            format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{family}:{number}").into();
        revisions.push(definition.clone());
        Answer::Json(200, json!({ "taskDefinition": definition }))
    }

    fn definition(&self, family: &str) -> Answer {
        match self.definitions.get(family).and_then(|revisions| revisions.last()) {
            Some(definition) => Answer::Json(200, json!({ "taskDefinition": definition })),
            None => error("ClientException", "Unable to describe task definition."),
        }
    }

    fn list(&mut self, body: &Value) -> Answer {
        let wanted = |task: &mut Task| {
            let runs =
                task.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)));
            let status = if runs { "RUNNING" } else { "STOPPED" };
            body["desiredStatus"] == status && body["startedBy"] == task.started_by
        };
        let found = self.tasks.iter_mut().filter_map(|(arn, task)| wanted(task).then_some(arn));
        Answer::Json(200, json!({ "taskArns": found.collect::<Vec<_>>() }))
    }

    fn describe(&mut self, body: &Value) -> Answer {
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for arn in body["tasks"].as_array().into_iter().flatten() {
            let known = self.tasks.get_mut(arn.as_str().unwrap_or_default());
            match known.and_then(|task| described(arn, task)) {
                Some(task) => tasks.push(task),
                None => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
            }
        }
        Answer::Json(200, json!({ "tasks": tasks, "failures": failures }))
    }
}

fn described(arn: &Value, task: &mut Task) -> Option<Value> {
    let started_by = task.started_by.clone();
    let Some(child) = &mut task.child else {
        return Some(json!({
            "taskArn": arn, "lastStatus": "STOPPED", "startedBy": started_by, "stopCode": "TaskFailedToStart",
            "stoppedReason": "CannotPullContainerError: pull image manifest has been retried 1 time(s)",
            "containers": [{ "name": "runner" }],
        }));
    };
    let Ok(Some(status)) = child.try_wait() else {
        return Some(json!({
            "taskArn": arn, "lastStatus": "RUNNING", "startedBy": started_by, "containers": [{ "name": "runner" }],
        }));
    };
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    (!task.forgotten).then(|| {
        json!({
            "taskArn": arn, "lastStatus": "STOPPED", "startedBy": started_by, "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited",
            "containers": [{ "name": "aws-guardduty-agent-x", "exitCode": 0 }, { "name": "runner", "exitCode": code }],
        })
    })
}
