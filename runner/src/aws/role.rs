//! A function's own role, assumed (STS API reference, `AssumeRole`).

use std::sync::Arc;
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_sdk_sts::Client;

use super::{AwsError, failure};
use crate::causes::causes;
use crate::credentials::{Credentials, Obtain};

const ASSUME_ROLE: &str = "AssumeRole";
/// The longest that a role which was itself assumed may give, in seconds.
const LIFE: i32 = 3600;

/// Assumes the role once, and says how to do it again.
pub async fn assume(
    config: &SdkConfig,
    role: &str,
    session: &str,
) -> Result<(Credentials, Obtain), AwsError> {
    let client = Client::new(config);
    let (role, session) = (role.to_owned(), session.to_owned());
    let first = once(&client, &role, &session).await?;
    let again = Arc::new((client, role, session));
    let obtain: Obtain = Arc::new(move || {
        let again = Arc::clone(&again);
        Box::pin(async move {
            let (client, role, session) = &*again;
            once(client, role, session).await.map_err(|error| causes(&error))
        })
    });
    Ok((first, obtain))
}

async fn once(client: &Client, role: &str, session: &str) -> Result<Credentials, AwsError> {
    let request = client.assume_role().role_arn(role).role_session_name(session);
    let answer = request.duration_seconds(LIFE).send().await;
    let answer = answer.map_err(|error| match failure(ASSUME_ROLE, role, &error) {
        AwsError::Refused { operation, subject, code, message } if code == "AccessDenied" => {
            let message = format!("{message}; {}", remedy(role));
            AwsError::Refused { operation, subject, code, message }
        }
        other => other,
    })?;
    let found = answer.credentials().ok_or_else(|| AwsError::Incomplete {
        operation: ASSUME_ROLE,
        subject: role.to_owned(),
        problem: "has no Credentials".to_owned(),
    })?;
    Ok(Credentials {
        key: found.access_key_id().to_owned().into(),
        secret: found.secret_access_key().to_owned().into(),
        token: found.session_token().to_owned().into(),
        role: role.to_owned(),
        obtained: SystemTime::now(),
        expires: SystemTime::try_from(*found.expiration()).unwrap_or(SystemTime::UNIX_EPOCH),
    })
}

/// What to add where.
fn remedy(role: &str) -> String {
    format!(
        "allow it in two places: in the trust policy of {role} \
         {{\"Effect\":\"Allow\",\"Principal\":{{\"AWS\":\"TASK_ROLE_ARN\"}},\"Action\":\"sts:AssumeRole\"}}, \
         and in the task role sts:AssumeRole on {role}; or set IMMORTAL_CREDENTIALS=task"
    )
}
