//! What attaching has changed and what was there before, kept in tags of the function itself, so that it can be undone
//! from anywhere. Tags have letters, digits, blanks and `+ - = . _ : / @`, keys 128 characters, values 256. Pure.

use std::collections::BTreeMap;

use super::found::Way;

/// What was changed. It is written before anything is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// By what the function's failures reach the queue.
    pub way: Way,
    /// ARN of the queue.
    pub queue: String,
    /// Whether destination or dead-letter queue were changed; and what was there, if there was something.
    pub target: Option<Option<String>>,
    /// `MaximumRetryAttempts`, where that was changed: what it is now, and what it was.
    pub retries: Option<(i32, Option<i32>)>,
    /// Whether there was a configuration of asynchronous invocations.
    pub configured: bool,
    /// Whether its role got a policy.
    pub policy: bool,
    /// Whether its role got a statement of trust.
    pub trust: bool,
}

/// The tag of a function; of a version or alias, with `:NAME`.
const TAG: &str = "immortal:attached";
/// The tag of the ARN that had to give way.
const REPLACED: &str = "immortal:replaced";
/// The longest key of a tag.
const LONGEST_KEY: usize = 128;
/// The longest value of a tag.
const LONGEST_VALUE: usize = 256;

fn key(tag: &str, qualifier: Option<&str>) -> String {
    qualifier.map_or_else(|| tag.to_owned(), |qualifier| format!("{tag}:{qualifier}"))
}

/// The tags in which the note of this version or alias is kept.
pub fn keys(qualifier: Option<&str>) -> [String; 2] {
    [key(TAG, qualifier), key(REPLACED, qualifier)]
}

/// All notes in these tags that gave the role a statement of trust, but the one of this version or alias.
pub fn others_trust(tags: &BTreeMap<String, String>, except: Option<&str>) -> bool {
    let own = key(TAG, except);
    let noted = tags.iter().filter(|(name, _)| name.starts_with(TAG) && **name != own);
    noted.into_iter().any(|(_, text)| text.split(' ').any(|word| word == "trust=added"))
}

impl Note {
    /// Finds the note of a function, version or alias. One that cannot be read is refused, since it says what was there.
    pub fn read(
        tags: &BTreeMap<String, String>,
        qualifier: Option<&str>,
    ) -> Result<Option<Self>, String> {
        let [tag, replaced] = keys(qualifier);
        let Some(text) = tags.get(&tag) else { return Ok(None) };
        let note = Self::parse(text, tags.get(&replaced));
        note.map(Some).ok_or_else(|| {
            format!("expected what `attach` has noted in the function's tag `{tag}`, found `{text}`: correct or remove the tag")
        })
    }

    fn parse(text: &str, replaced: Option<&String>) -> Option<Self> {
        let words: BTreeMap<&str, &str> =
            text.split(' ').map(|word| word.split_once('=')).collect::<Option<_>>()?;
        let number = |text: &str| match text {
            "none" => Some(None),
            number => number.parse().ok().map(Some),
        };
        let retries = match words.get("retries").map(|text| text.split_once(':')) {
            None => None,
            Some(None) => return None,
            Some(Some((now, before))) => Some((number(now)??, number(before)?)),
        };
        Some(Self {
            way: match *words.get("as")? {
                "destination" => Way::Destination,
                "dead-letter" => Way::DeadLetter,
                _ => return None,
            },
            queue: (*words.get("queue")?).to_owned(),
            target: words.contains_key("target").then(|| replaced.cloned()),
            retries,
            configured: words.get("config") == Some(&"kept"),
            policy: words.get("policy") == Some(&"added"),
            trust: words.get("trust") == Some(&"added"),
        })
    }

    /// As tags. Refuses what they cannot hold.
    pub fn tags(&self, qualifier: Option<&str>) -> Result<BTreeMap<String, String>, String> {
        let [tag, replaced] = keys(qualifier);
        let mut tags = BTreeMap::from([(tag, self.to_string())]);
        if let Some(Some(arn)) = &self.target {
            tags.insert(replaced, arn.clone());
        }
        let fits = |(key, value): (&String, &String)| {
            key.len() <= LONGEST_KEY && value.len() <= LONGEST_VALUE
        };
        if let Some((key, value)) = tags.iter().find(|(key, value)| !fits((key, value))) {
            return Err(format!(
                "expected what was there to fit into a tag ({LONGEST_KEY} characters, and {LONGEST_VALUE} of value), found `{key}` = `{value}`: wire this one by hand (docs/attach.md)"
            ));
        }
        Ok(tags)
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "as={} queue={}", self.way.as_str(), self.queue)?;
        if self.target.is_some() {
            formatter.write_str(" target=set")?;
        }
        if let Some((now, before)) = self.retries {
            let before = before.map_or_else(|| "none".to_owned(), |before| before.to_string());
            write!(formatter, " retries={now}:{before}")?;
        }
        for (word, said) in [
            (" config=kept", self.configured),
            (" policy=added", self.policy),
            (" trust=added", self.trust),
        ] {
            formatter.write_str(if said { word } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Note {
        Note {
            way: Way::Destination,
            queue: "arn:aws:sqs:eu-west-1:123456789012:failed".to_owned(),
            target: Some(Some("arn:aws:sns:eu-west-1:123456789012:old".to_owned())),
            retries: Some((0, None)),
            configured: true,
            policy: true,
            trust: false,
        }
    }

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let plain =
            Note { target: None, retries: None, configured: false, policy: false, ..note() };
        let other = Note {
            way: Way::DeadLetter,
            retries: Some((0, Some(2))),
            target: Some(None),
            trust: true,
            ..note()
        };
        for (note, qualifier) in [(note(), None), (plain, Some("live")), (other, Some("7"))] {
            let tags = note.tags(qualifier).unwrap();
            assert_eq!(Note::read(&tags, qualifier), Ok(Some(note)));
            assert_eq!(Note::read(&tags, Some("beta")), Ok(None));
            let allowed = |c: char| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c);
            assert!(tags.iter().all(|(key, value)| (key.clone() + value).chars().all(allowed)));
        }
    }

    #[test]
    fn the_longest_names_fit_and_longer_ones_are_refused() {
        let queue = format!("arn:aws-us-gov:sqs:us-gov-west-1:123456789012:{}", "q".repeat(80));
        let longest = Note { queue, way: Way::DeadLetter, trust: true, ..note() };
        assert!(longest.tags(Some(&"a".repeat(100))).is_ok());
        assert!(longest.tags(Some(&"a".repeat(120))).unwrap_err().contains("by hand"));
        let target = Some(Some("x".repeat(300)));
        assert!(Note { target, ..note() }.tags(None).is_err());
    }

    #[test]
    fn what_is_no_note_is_refused() {
        for text in
            ["", "as=x queue=q", "queue=q", "as=destination", "as=destination queue=q retries=0"]
        {
            let tags = BTreeMap::from([(TAG.to_owned(), text.to_owned())]);
            assert!(Note::read(&tags, None).unwrap_err().contains(TAG), "{text}");
        }
    }

    #[test]
    fn trust_that_others_rely_on_is_seen() {
        let trusting = Note { trust: true, ..note() };
        let tags = trusting.tags(Some("live")).unwrap();
        assert!(others_trust(&tags, None) && others_trust(&tags, Some("beta")));
        assert!(!others_trust(&tags, Some("live")));
        assert!(!others_trust(&note().tags(Some("live")).unwrap(), None));
    }
}
