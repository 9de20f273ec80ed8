//! The one statement that `attach` puts into a trust policy, put in and taken out; everything else stays as it is.
//! Pure.

use serde_json::Value;

use super::{Trusted, Who, statements, words};

impl Who {
    /// The policy with the statement; nothing where it trusts already. Everything else stays as it is.
    pub fn with(&self, document: &Value) -> Option<Value> {
        if self.is_trusted(document) == Trusted::Yes {
            return None;
        }
        let kept = statements(document).filter(|one| one["Sid"] != self.sid()).cloned();
        Some(with(document, kept.chain([self.widened(document)])))
    }

    /// The statement, for the places too that an earlier one of ours is for: a role has no region.
    fn widened(&self, document: &Value) -> Value {
        let mut statement = self.statement();
        let old = statements(document).find(|one| one["Sid"] == self.sid());
        let (here, there) = match self {
            Self::Tasks { .. } => (&mut statement["Condition"]["ArnLike"]["aws:SourceArn"], SOURCE),
            Self::Role(_) => (&mut statement["Principal"]["AWS"], PRINCIPAL),
        };
        let mut all: Vec<String> = old
            .and_then(|old| old.pointer(there))
            .into_iter()
            .flat_map(words)
            .map(str::to_owned)
            .collect();
        if !all.is_empty() {
            all.extend(words(here).map(str::to_owned));
            *here = all.into();
        }
        statement
    }
}

/// The policy without the statements that `attach` may have added; nothing where it has none. One that serves several
/// regions or runners stays: others rely on it.
pub fn without(document: &Value) -> Option<Value> {
    let sids = ["ImmortalLambdaTasks", "ImmortalLambdaRunner"];
    let shared = |one: &Value| {
        [SOURCE, PRINCIPAL].iter().any(|at| one.pointer(at).is_some_and(Value::is_array))
    };
    let ours = |one: &&Value| sids.iter().any(|sid| one["Sid"] == *sid) && !shared(one);
    let kept = statements(document).filter(|one| !ours(one)).cloned();
    statements(document).any(|one| ours(&one)).then(|| with(document, kept))
}

/// Where the statement for tasks names their places.
const SOURCE: &str = "/Condition/ArnLike/aws:SourceArn";
/// Where the statement for a role names it.
const PRINCIPAL: &str = "/Principal/AWS";

fn with(document: &Value, statements: impl Iterator<Item = Value>) -> Value {
    let mut document = document.clone();
    document["Statement"] = statements.collect();
    document
}
