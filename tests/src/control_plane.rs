//! A scripted Lambda API on a real socket: GetFunction, GetLayerVersionByArn, and the URLs they give; what `wiring` changes.
//! It answers as AWS does, or with the fault that a test asks for.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use serde_json::{Value, json};

use crate::deployed::{Deployed, digest, layer_arn};
use crate::quota::Quota;
use crate::wiring;

/// Something that is never the same.
fn now() -> Vec<u8> {
    format!("{:?}", Instant::now()).into_bytes()
}

/// The API, for as long as this lives.
#[derive(Debug)]
pub struct ControlPlane {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    invocations: Arc<Mutex<Vec<Value>>>,
    quota: Arc<Mutex<Quota>>,
}

impl ControlPlane {
    /// Serves one function.
    pub fn with(function: Deployed) -> Self {
        Self::of(vec![function])
    }

    /// Serves several functions, each by its name.
    pub fn of(functions: Vec<Deployed>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let invocations = Arc::new(Mutex::new(Vec::new()));
        let functions = Arc::new(Mutex::new(functions));
        let (log, host) = (Arc::clone(&requests), url.clone());
        let invoked = Arc::clone(&invocations);
        let quota = Arc::new(Mutex::new(Quota::default()));
        let granted = Arc::clone(&quota);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (functions, log, host) =
                    (Arc::clone(&functions), Arc::clone(&log), host.clone());
                let (invoked, granted) = (Arc::clone(&invoked), Arc::clone(&granted));
                std::thread::spawn(move || {
                    serve(&stream, &functions, &host, &log, &invoked, &granted);
                });
            }
        });
        Self { url, requests, invocations, quota }
    }

    /// What the runner needs to find it.
    pub fn variables(&self) -> Vec<(&str, &str)> {
        vec![
            ("AWS_ENDPOINT_URL_LAMBDA", &self.url),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "canary-secret-key"),
        ]
    }

    /// `host:port`
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// What functions were invoked with so far.
    pub fn invocations(&self) -> Vec<Value> {
        self.invocations.lock().unwrap().clone()
    }

    /// How often it was asked for anything but functions (`GetFunction` has a quota of its own), and how often it may be.
    pub fn quota(&self) -> MutexGuard<'_, Quota> {
        self.quota.lock().unwrap()
    }

    /// The request lines so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    stream: &TcpStream,
    functions: &Mutex<Vec<Deployed>>,
    host: &str,
    log: &Mutex<Vec<String>>,
    invoked: &Mutex<Vec<Value>>,
    quota: &Mutex<Quota>,
) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let (mut header, mut range, mut length) = (String::from("x"), None, 0);
        while header != "\r\n" {
            header.clear();
            if reader.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
            let value = header.to_ascii_lowercase();
            range = value.strip_prefix("range: bytes=").map(str::to_owned).or(range);
            length = value
                .strip_prefix("content-length: ")
                .map_or(length, |length| length.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        log.lock().unwrap().push(path.clone());
        if path.contains("/invocations") {
            invoked.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        }
        let method = line.split(' ').next().unwrap_or_default();
        let granted = !is_counted(&path) || quota.lock().unwrap().grants(Instant::now());
        let (status, body) = if granted {
            let mut functions = functions.lock().unwrap();
            let meant = functions.iter().position(|function| function.is_meant(&path));
            let listed = listed(&functions, &path);
            let function = &mut functions[meant.unwrap_or(0)];
            match listed.or_else(|| wiring::answer(function, method, &path, &body)) {
                Some((status, Value::Null)) => (status, Vec::new()),
                Some((status, answer)) => (status, answer.to_string().into_bytes()),
                None => answer(&path, function, host),
            }
        } else {
            (
                429,
                json!({ "Reason": "CallerRateLimitExceeded", "message": "Rate exceeded" })
                    .to_string()
                    .into_bytes(),
            )
        };
        let (head, body) = respond(status, body, range.as_deref());
        let mut stream = stream;
        if stream.write_all(&[head.as_bytes(), &body].concat()).is_err() {
            return;
        }
    }
}

/// Whether a request counts for the quota of all questions together: not those for a function, nor for its code, nor
/// invocations (Lambda quotas, "API requests").
fn is_counted(path: &str) -> bool {
    let route = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    let function = route.strip_prefix("/2015-03-31/functions/");
    route.starts_with("/20")
        && function.is_none_or(|rest| rest.contains('/') && !rest.ends_with("/invocations"))
}

/// Head and body of a response: a part of the body where one was asked for, as S3 has it.
fn respond(status: u16, body: Vec<u8>, range: Option<&str>) -> (String, Vec<u8>) {
    let total = body.len();
    let (first, last) = range.and_then(|range| range.trim().split_once('-')).unwrap_or_default();
    let [first, last]: [Option<usize>; 2] = [first.parse().ok(), last.parse().ok()];
    let asked = match (first, last) {
        (Some(first), last) => Some(first..last.map_or(total, |last| last + 1).min(total)),
        (None, Some(count)) => Some(total.saturating_sub(count)..total),
        (None, None) => None,
    };
    if let (200, Some(range)) = (status, asked.filter(|range| !range.is_empty())) {
        let place = format!("bytes {}-{}/{total}", range.start, range.end - 1);
        let head = format!(
            "HTTP/1.1 206 Part\r\nContent-Range: {place}\r\nContent-Length: {}\r\n\r\n",
            range.len()
        );
        return (head, body[range].to_vec());
    }
    let error = match status {
        ..400 => "",
        400 => "x-amzn-ErrorType: InvalidParameterValueException\r\n",
        403 => "x-amzn-ErrorType: AccessDeniedException\r\n",
        429 => "x-amzn-ErrorType: TooManyRequestsException\r\n",
        _ => "x-amzn-ErrorType: ResourceNotFoundException\r\n",
    };
    (format!("HTTP/1.1 {status} Status\r\n{error}Content-Length: {total}\r\n\r\n"), body)
}

/// The list of functions, a page for each, so that whoever wants them all has to turn the pages.
fn listed(functions: &[Deployed], path: &str) -> Option<(u16, Value)> {
    let (route, query) = path.split_once('?').unwrap_or((path, ""));
    if route.trim_end_matches('/') != "/2015-03-31/functions" {
        return None;
    }
    let marker = query.split('&').find_map(|pair| pair.strip_prefix("Marker="));
    let at: usize = marker.map_or(0, |marker| marker.parse().unwrap());
    let mut page = json!({ "Functions": [functions[at].configuration] });
    if at + 1 < functions.len() {
        page["NextMarker"] = (at + 1).to_string().into();
    }
    Some((200, page))
}

fn answer(path: &str, function: &Deployed, host: &str) -> (u16, Vec<u8>) {
    let json = |value: Value| (200, value.to_string().replace("HOST", host).into_bytes());
    let (route, _) = path.split_once('?').unwrap_or((path, ""));
    if route == "/code" || route.starts_with("/code/") || route == "/bucket/code" {
        return (function.code_status, function.zip.clone());
    }
    if let Some(layer) =
        route.strip_prefix("/layer/").and_then(|version| version.parse::<usize>().ok())
    {
        return (200, function.layers[layer - 1].clone());
    }
    if route == "/2018-10-31/layers" {
        let version: usize =
            path.rsplit("%3A").next().and_then(|version| version.parse().ok()).unwrap_or(1);
        let zip = &function.layers[version - 1];
        let location = format!("HOST/layer/{version}?X-Amz-Signature=canary-signature");
        let content =
            json!({ "Location": location, "CodeSha256": digest(zip), "CodeSize": zip.len() });
        return json(
            json!({ "Content": content, "LayerVersionArn": layer_arn(version), "Version": version }),
        );
    }
    if route == "/2015-03-31/event-source-mappings" {
        return json(json!({ "EventSourceMappings": function.mappings }));
    }
    if route.ends_with("/invocations") {
        return (202, Vec::new());
    }
    if route.starts_with("/2015-03-31/functions/") && function.is_meant(path) {
        let mut configuration = function.configuration.clone();
        if function.changing {
            configuration["CodeSha256"] = digest(&now()).into();
        }
        return json(json!({ "Configuration": configuration, "Code": function.code }));
    }
    (404, json!({ "Type": "User", "Message": "Function not found" }).to_string().into_bytes())
}
