//! From counts to findings: which of the problems a service and library has, and for how many of
//! its calls. Takes the counts, gives findings with their advice. Pure.

use serde_json::{Value, json};

use super::Patient;
use super::advice::{self, Problem};

/// One thing that is amiss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Of which service.
    pub service: Option<String>,
    /// Whose names it speaks.
    pub dialect: Option<String>,
    /// Of which library.
    pub library: Option<String>,
    /// In which version.
    pub version: Option<String>,
    /// What.
    pub problem: Problem,
    /// How many have it.
    pub count: i64,
    /// Of how many.
    pub of: i64,
    /// A reason that the tables give for one of them.
    pub reason: Option<String>,
    /// What to set.
    pub advice: &'static str,
}

impl Finding {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "service": self.service,
            "dialect": self.dialect,
            "library": self.library,
            "version": self.version,
            "problem": self.problem.word(),
            "says": self.problem.says(),
            "count": self.count,
            "of": self.of,
            "reason": self.reason,
            "advice": self.advice,
        })
    }
}

/// The findings, by service, the gravest first.
pub(super) fn of(patients: &[Patient]) -> Vec<Finding> {
    let mut all: Vec<Finding> = patients
        .iter()
        .flat_map(|patient| {
            let found = Problem::ALL.into_iter().filter_map(|problem| {
                let (count, of) = counted(patient, patients, problem);
                (count > 0).then_some((problem, count, of))
            });
            found.map(|(problem, count, of)| Finding {
                service: patient.service.clone(),
                dialect: patient.dialect.clone(),
                library: patient.library.clone(),
                version: patient.version.clone(),
                problem,
                count,
                of,
                reason: match problem {
                    Problem::Unpriced => patient.price_reason.clone(),
                    Problem::UsageUnknown | Problem::UsageEstimated => patient.usage_reason.clone(),
                    Problem::Uncounted => Some(in_no_call(patient, "uncounted")),
                    Problem::MetricsOnly => Some(in_no_call(patient, "metric")),
                    _ => None,
                },
                advice: advice::on(speaker(patient), problem),
            })
        })
        .collect();
    all.sort_by(|a, b| (&a.service, a.problem).cmp(&(&b.service, b.problem)));
    all
}

/// How much is in no call, by counts of these names.
fn in_no_call(patient: &Patient, which: &str) -> String {
    let [input, output] =
        ["input", "output"].map(|side| patient.count(&format!("{which}_{side}_tokens")));
    format!("{input} tokens in and {output} out in all")
}

/// Who sends it: the library; of calls that only log records told of, whose names they speak.
fn speaker(patient: &Patient) -> &str {
    patient.library.as_deref().or(patient.dialect.as_deref()).unwrap_or_default()
}

/// How many have the problem, of how many.
fn counted(patient: &Patient, all: &[Patient], problem: Problem) -> (i64, i64) {
    let service = || all.iter().filter(|other| other.service == patient.service);
    let of_service = |name: &str| service().map(|other| other.count(name)).sum::<i64>();
    let spans_of_models = || {
        let speak = service().filter(|other| other.dialect.is_some());
        speak.map(|other| other.count("spans") + other.count("calls")).sum::<i64>()
    };
    let calls = patient.count("calls");
    let of_calls = |count: i64| (count, calls);
    match problem {
        Problem::MetricsOnly => {
            let points = patient.count("token_points");
            let alone = spans_of_models() == 0 && of_service("events") == 0;
            (if alone { points } else { 0 }, points)
        }
        Problem::EventsOnly => {
            let events = patient.count("events");
            (if spans_of_models() == 0 { events } else { 0 }, events)
        }
        Problem::NoModelCalls => {
            // Spans of agents and tools alone do not tell what their models were asked.
            let spans = patient.count("spans");
            // A call that is not settled yet, or that another span tells, is one all the same.
            let tells = ["calls", "duplicates", "not_counted"].map(of_service);
            let none = patient.dialect.is_none() || tells == [0; 3];
            (if none { spans } else { 0 }, spans)
        }
        Problem::StreamWithoutUsage => {
            (patient.count("streams_without_usage"), patient.count("streams"))
        }
        Problem::NoUsage => of_calls(patient.count("calls_without_usage")),
        Problem::UsageEstimated => of_calls(patient.count("usage_estimated")),
        Problem::PerhapsEstimated => of_calls(patient.count("perhaps_estimated")),
        Problem::Uncounted => (patient.count("uncounted_spans"), patient.count("spans")),
        Problem::UsageUnknown => of_calls(patient.count("usage_unknown")),
        Problem::CachedUntold => of_calls(patient.count("cached_untold")),
        // What has no usage cannot be priced; that is said already.
        Problem::Unpriced => {
            let priceable = patient.count("unpriced") - (calls - patient.count("with_usage"));
            of_calls(priceable.max(0) + patient.count("part_priced"))
        }
        Problem::NoTeam => of_calls(calls - patient.count("with_team")),
        Problem::NoUser => of_calls(calls - patient.count("with_user")),
        Problem::Duplicates => (patient.count("duplicates"), patient.count("spans")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::COUNTS;

    fn patient(service: &str, library: &str, counts: &[(&str, i64)]) -> Patient {
        let mut patient = Patient {
            service: Some(service.to_owned()),
            library: Some(library.to_owned()),
            ..Patient::default()
        };
        for (name, count) in counts {
            let place = COUNTS.iter().position(|c| c == name).unwrap();
            patient.counts[place] = *count;
            if *name == "calls" {
                patient.dialect = Some("otel-genai".to_owned());
            }
        }
        patient
    }

    fn found(patients: &[Patient]) -> Vec<(String, &'static str, i64)> {
        of(patients)
            .into_iter()
            .map(|f| (f.service.unwrap_or_default(), f.problem.word(), f.count))
            .collect()
    }

    #[test]
    fn metrics_alone_are_a_finding_and_beside_spans_they_are_none() {
        let metrics = patient("agent", "com.anthropic.claude_code", &[("token_points", 8)]);
        let alone = of(std::slice::from_ref(&metrics));
        assert_eq!(alone[0].problem, Problem::MetricsOnly);
        assert!(alone[0].advice.contains("OTEL_LOGS_EXPORTER"));
        let whole =
            [("spans", 3), ("calls", 3), ("with_usage", 3), ("with_team", 3), ("with_user", 3)];
        let spans = patient("agent", "com.anthropic.claude_code.tracing", &whole);
        assert_eq!(found(&[metrics, spans]), []);
    }

    // AutoGen and CrewAI make spans of agents, and leave the models to an instrumentation below.
    #[test]
    fn spans_of_agents_without_a_call_are_a_finding_and_those_of_another_call_are_none() {
        let agents = patient("api", "autogen", &[("spans", 4), ("calls", 0)]);
        let alone = [("api".to_owned(), "no-model-calls", 4)];
        assert_eq!(found(std::slice::from_ref(&agents)), alone);
        let whole =
            [("spans", 2), ("calls", 2), ("with_usage", 2), ("with_team", 2), ("with_user", 2)];
        assert_eq!(found(&[agents, patient("api", "openai", &whole)]), []);
        // All of a gateway's spans repeat calls of its clients.
        let gateway =
            patient("gateway", "litellm", &[("spans", 3), ("calls", 0), ("duplicates", 3)]);
        assert_eq!(found(&[gateway]), [("gateway".to_owned(), "duplicates", 3)]);
        // Not settled yet.
        let early = patient("api", "openai", &[("spans", 2), ("calls", 0), ("not_counted", 2)]);
        assert_eq!(found(&[early]), []);
    }

    #[test]
    fn a_call_without_usage_is_not_reported_as_unpriced_again() {
        // 5 calls, 3 with usage; of the 4 unpriced, 2 have no usage: 2 lack a price only.
        let counts = [
            ("spans", 5),
            ("calls", 5),
            ("with_usage", 3),
            ("with_team", 5),
            ("with_user", 5),
            ("unpriced", 4),
            ("streams_without_usage", 2),
        ];
        let found = found(&[patient("api", "litellm", &counts)]);
        let expect = [("stream-without-usage", 2), ("unpriced", 2)];
        assert_eq!(found, expect.map(|(problem, count)| ("api".to_owned(), problem, count)));
    }
}
