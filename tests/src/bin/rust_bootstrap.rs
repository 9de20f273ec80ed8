//! A custom runtime as users build it: AWS's `lambda_runtime` around a handler that answers with its
//! event and what the context says.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    if event.payload["fail"] == true {
        return Err("asked to fail".into());
    }
    Ok(json!({ "event": event.payload, "arn": event.context.invoked_function_arn }))
}
