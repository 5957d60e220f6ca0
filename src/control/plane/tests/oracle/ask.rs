//! Requests by number: what they name is what the sequence made so far.

use proptest::prelude::*;
use proptest::sample::select;

use crate::control::api::Action;
use crate::control::plane::session::TargetType;

/// ENIs that requests name; not all of them may be named by all.
pub(super) static ENIS: [&str; 9] =
    ["eni-0", "eni-1", "eni-2", "eni-far", "eni-large", "eni-managed", "eni-b", "eni-b2", "eni-none"];
/// A number that names nothing.
const NOTHING: usize = usize::MAX;

/// One step of a sequence.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) account: &'static str,
    pub(super) token: Option<u8>,
    /// The store fails at the next commit.
    pub(super) fails: bool,
    pub(super) ask: Ask,
}

#[derive(Clone, Debug)]
pub(super) enum Ask {
    Open,
    CreateFilter(Vec<RuleAsk>),
    DeleteFilter(usize),
    CreateRules(usize, Vec<RuleAsk>),
    UpdateRule(usize, RuleEdit),
    DeleteRules(usize, Vec<usize>),
    CreateSession(SessionAsk),
    UpdateSession(usize, SessionAsk),
    DeleteSession(usize),
    Add(usize, Vec<&'static str>),
    Remove(usize, Vec<&'static str>),
    Tag(usize),
    /// The platform's: the account is locked or not, an ENI is there or not.
    Lock(bool),
    Eni(&'static str, bool),
}

#[derive(Clone, Debug)]
pub(super) struct RuleAsk {
    pub(super) ingress: bool,
    pub(super) edit: RuleEdit,
}

#[derive(Clone, Debug)]
pub(super) struct RuleEdit {
    pub(super) priority: Option<u32>,
    pub(super) protocol: Option<&'static str>,
    pub(super) ports: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) struct SessionAsk {
    pub(super) filter: Option<usize>,
    pub(super) sources: Vec<&'static str>,
    pub(super) target: Option<(TargetType, &'static str)>,
    pub(super) priority: Option<u32>,
    pub(super) vni: Option<u32>,
    pub(super) length: Option<u32>,
    pub(super) enabled: Option<bool>,
}

/// The ids that a sequence was answered.
#[derive(Default)]
pub(super) struct Names {
    pub(super) filters: Vec<String>,
    pub(super) rules: Vec<String>,
    pub(super) sessions: Vec<String>,
}

/// The name behind a number.
pub(super) fn pick(names: &[String], n: usize) -> &str {
    if n == NOTHING || names.is_empty() { "none" } else { &names[n % names.len()] }
}

type Pairs = Vec<(String, String)>;

impl Ask {
    /// The other account mostly names its own ENIs.
    fn named_by(mut self, account: &str) -> Self {
        let sources = match &mut self {
            Ask::CreateSession(ask) => &mut ask.sources,
            Ask::Add(_, sources) | Ask::Remove(_, sources) => sources,
            _ => return self,
        };
        for source in sources.iter_mut().filter(|_| account == "b") {
            *source = if *source == "eni-0" { "eni-b" } else { "eni-b2" };
        }
        self
    }

    /// As a client sends it; `None` is the platform's.
    pub(super) fn rendered(&self, names: &Names) -> Option<(Action, Pairs)> {
        let mut pairs: Pairs = Vec::new();
        let filter = |n: &usize| ("TrafficMirrorFilterId".to_owned(), pick(&names.filters, *n).to_owned());
        let session = |n: &usize| ("TrafficMirrorSessionId".to_owned(), pick(&names.sessions, *n).to_owned());
        let action = match self {
            Ask::Open => Action::OpenTrafficMirrorService,
            Ask::CreateFilter(rules) => {
                push_rules(rules, &mut pairs);
                Action::CreateTrafficMirrorFilter
            }
            Ask::DeleteFilter(n) => {
                pairs.push(filter(n));
                Action::DeleteTrafficMirrorFilter
            }
            Ask::CreateRules(n, rules) => {
                pairs.push(filter(n));
                push_rules(rules, &mut pairs);
                Action::CreateTrafficMirrorFilterRules
            }
            Ask::UpdateRule(n, edit) => {
                pairs.push(("TrafficMirrorFilterRuleId".to_owned(), pick(&names.rules, *n).to_owned()));
                edit.push("", &mut pairs);
                Action::UpdateTrafficMirrorFilterRuleAttribute
            }
            Ask::DeleteRules(n, rules) => {
                pairs.push(filter(n));
                push_list("TrafficMirrorFilterRuleIds", rules.iter().map(|n| pick(&names.rules, *n)), &mut pairs);
                Action::DeleteTrafficMirrorFilterRules
            }
            Ask::CreateSession(ask) => {
                ask.push(names, &mut pairs);
                push_list("TrafficMirrorSourceIds", ask.sources.iter().copied(), &mut pairs);
                Action::CreateTrafficMirrorSession
            }
            Ask::UpdateSession(n, ask) => {
                pairs.push(session(n));
                ask.push(names, &mut pairs);
                Action::UpdateTrafficMirrorSessionAttribute
            }
            Ask::DeleteSession(n) => {
                pairs.push(session(n));
                Action::DeleteTrafficMirrorSession
            }
            Ask::Add(n, sources) | Ask::Remove(n, sources) => {
                pairs.push(session(n));
                push_list("TrafficMirrorSourceIds", sources.iter().copied(), &mut pairs);
                if matches!(self, Ask::Add(..)) {
                    Action::AddSourcesToTrafficMirrorSession
                } else {
                    Action::RemoveSourcesFromTrafficMirrorSession
                }
            }
            Ask::Tag(n) => {
                let tag = [("ResourceType", "TrafficMirrorSession"), ("Tag.1.Key", "k")];
                pairs.extend(tag.map(|(n, v)| (n.to_owned(), v.to_owned())));
                pairs.push(("ResourceId.1".to_owned(), pick(&names.sessions, *n).to_owned()));
                Action::TagResources
            }
            Ask::Lock(_) | Ask::Eni(..) => return None,
        };
        Some((action, pairs))
    }
}

fn push_list<'a>(name: &str, values: impl Iterator<Item = &'a str>, pairs: &mut Pairs) {
    pairs.extend(values.enumerate().map(|(n, value)| (format!("{name}.{}", n + 1), value.to_owned())));
}

fn push_rules(rules: &[RuleAsk], pairs: &mut Pairs) {
    for ingress in [true, false] {
        let list = if ingress { "IngressRules" } else { "EgressRules" };
        for (n, rule) in rules.iter().filter(|rule| rule.ingress == ingress).enumerate() {
            let prefix = format!("{list}.{}.", n + 1);
            pairs.push((format!("{prefix}Action"), "accept".to_owned()));
            rule.edit.push(&prefix, pairs);
        }
    }
}

impl RuleEdit {
    fn push(&self, prefix: &str, pairs: &mut Pairs) {
        let fields = [
            ("Priority", self.priority.map(|p| p.to_string())),
            ("Protocol", self.protocol.map(str::to_owned)),
            ("DestinationPortRange", self.ports.map(str::to_owned)),
        ];
        pairs.extend(fields.into_iter().filter_map(|(name, value)| Some((format!("{prefix}{name}"), value?))));
    }
}

impl SessionAsk {
    fn push(&self, names: &Names, pairs: &mut Pairs) {
        let fields = [
            ("TrafficMirrorFilterId", self.filter.map(|n| pick(&names.filters, n).to_owned())),
            ("TrafficMirrorTargetType", self.target.map(|(kind, _)| kind.name().to_owned())),
            ("TrafficMirrorTargetId", self.target.map(|(_, id)| id.to_owned())),
            ("Priority", self.priority.map(|n| n.to_string())),
            ("VirtualNetworkId", self.vni.map(|n| n.to_string())),
            ("PacketLength", self.length.map(|n| n.to_string())),
            ("Enabled", self.enabled.map(|b| b.to_string())),
        ];
        pairs.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
}

fn number() -> impl Strategy<Value = usize> {
    prop_oneof![40 => 0..6_usize, 1 => Just(NOTHING)]
}

/// Mostly there, and mostly one of the first.
fn often<T: Clone + std::fmt::Debug + 'static>(good: Vec<T>, bad: Vec<T>) -> impl Strategy<Value = Option<T>> {
    prop_oneof![40 => select(good).prop_map(Some), 1 => select(bad).prop_map(Some), 1 => Just(None)]
}

fn edit() -> impl Strategy<Value = RuleEdit> {
    let priority = often(vec![1, 2, 3, 4, 5, 16_777_216], vec![0, 16_777_217]);
    let protocol = often(vec!["ALL", "ICMP", "TCP", "UDP"], vec!["TCP"]);
    let ports = prop_oneof![4 => Just(None), 2 => select(vec!["80/443", "-1/-1"]).prop_map(Some)];
    (priority, protocol, ports).prop_map(|(priority, protocol, ports)| RuleEdit { priority, protocol, ports })
}

fn rules(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<RuleAsk>> {
    let rule = (any::<bool>(), edit()).prop_map(|(ingress, edit)| RuleAsk { ingress, edit });
    proptest::collection::vec(rule, count)
}

fn enis(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<&'static str>> {
    let eni = prop_oneof![14 => select(&ENIS[..3]), 1 => select(&ENIS[..])];
    proptest::collection::vec(eni, count)
}

/// Mostly some.
fn sources() -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![1 => Just(Vec::new()), 12 => enis(1..3)]
}

fn session() -> impl Strategy<Value = SessionAsk> {
    let target = prop_oneof![
        6 => select(&ENIS[3..5]).prop_map(|id| (TargetType::NetworkInterface, id)),
        1 => select(&ENIS[..]).prop_map(|id| (TargetType::NetworkInterface, id)),
        3 => Just((TargetType::Slb, "lb-1")),
        1 => Just((TargetType::GatewayLoadBalancerEndpoint, "lb-1")),
    ];
    let target = prop_oneof![30 => target.prop_map(Some), 1 => Just(None)];
    let filter = prop_oneof![30 => number().prop_map(Some), 1 => Just(None)];
    let vni = prop_oneof![1 => Just(None), 4 => often(vec![0, 7, 16_777_215], vec![16_777_216])];
    let length = prop_oneof![3 => Just(None), 2 => often(vec![64, 8500], vec![63, 8501])];
    let enabled = prop_oneof![1 => Just(None), 3 => any::<bool>().prop_map(Some)];
    let priority = often(vec![1, 2, 3, 4, 5, 6, 7, 8, 32_766], vec![0, 32_767]);
    (filter, sources(), target, priority, vni, length, enabled).prop_map(
        |(filter, sources, target, priority, vni, length, enabled)| SessionAsk {
            filter,
            sources,
            target,
            priority,
            vni,
            length,
            enabled,
        },
    )
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        1 => Just(Ask::Open),
        3 => rules(0..4).prop_map(Ask::CreateFilter),
        1 => number().prop_map(Ask::DeleteFilter),
        2 => (number(), rules(0..3)).prop_map(|(n, rules)| Ask::CreateRules(n, rules)),
        2 => (number(), edit()).prop_map(|(n, edit)| Ask::UpdateRule(n, edit)),
        2 => (number(), proptest::collection::vec(number(), 0..3)).prop_map(|(n, rules)| Ask::DeleteRules(n, rules)),
        9 => session().prop_map(Ask::CreateSession),
        4 => (number(), session()).prop_map(|(n, ask)| Ask::UpdateSession(n, ask)),
        1 => number().prop_map(Ask::DeleteSession),
        3 => (number(), sources()).prop_map(|(n, enis)| Ask::Add(n, enis)),
        3 => (number(), sources()).prop_map(|(n, enis)| Ask::Remove(n, enis)),
        1 => number().prop_map(Ask::Tag),
        1 => prop_oneof![1 => Just(true), 3 => Just(false)].prop_map(Ask::Lock),
        1 => (select(&ENIS[..8]), any::<bool>()).prop_map(|(eni, there)| Ask::Eni(eni, there)),
    ]
}

/// What most sequences need first.
pub(super) fn beginning(account: &'static str) -> [Step; 2] {
    let edit = RuleEdit { priority: Some(1), protocol: Some("TCP"), ports: Some("80/443") };
    let filter = Ask::CreateFilter(vec![RuleAsk { ingress: true, edit }]);
    [Ask::Open, filter].map(|ask| Step { account, token: None, fails: false, ask })
}

/// A sequence; most of it is of one account.
pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let account = prop_oneof![4 => Just("a"), 1 => Just("b")];
    let token = prop_oneof![9 => Just(None), 1 => (0..2_u8).prop_map(Some)];
    let fails = prop_oneof![20 => Just(false), 1 => Just(true)];
    let step = (account, token, fails, ask()).prop_map(|(account, token, fails, ask)| Step {
        account,
        token,
        fails,
        ask: ask.named_by(account),
    });
    proptest::collection::vec(step, 6..22)
}
