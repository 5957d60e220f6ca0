//! The actions of the API.

macro_rules! actions {
    ($($name:ident $effect:ident,)+) => {
        /// An action, by the name that clients send.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action { $(#[doc = concat!("`", stringify!($name), "`.")] $name,)+ }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Action] = &[$(Action::$name),+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Action::$name => stringify!($name),)+ }
            }

            /// It changes something.
            #[must_use]
            pub const fn writes(self) -> bool {
                match self { $(Action::$name => actions!(@ $effect),)+ }
            }
        }
    };
    (@ write) => { true };
    (@ read) => { false };
}

actions! {
    OpenTrafficMirrorService write,
    GetTrafficMirrorServiceStatus read,
    CreateTrafficMirrorFilter write,
    UpdateTrafficMirrorFilterAttribute write,
    DeleteTrafficMirrorFilter write,
    ListTrafficMirrorFilters read,
    CreateTrafficMirrorFilterRules write,
    UpdateTrafficMirrorFilterRuleAttribute write,
    DeleteTrafficMirrorFilterRules write,
    CreateTrafficMirrorSession write,
    UpdateTrafficMirrorSessionAttribute write,
    DeleteTrafficMirrorSession write,
    ListTrafficMirrorSessions read,
    AddSourcesToTrafficMirrorSession write,
    RemoveSourcesFromTrafficMirrorSession write,
    TagResources write,
    UnTagResources write,
    ListTagResources read,
    MoveResourceGroup write,
}

impl Action {
    /// The action of a name, letter by letter.
    #[must_use]
    pub fn named(name: &str) -> Option<Action> {
        Action::ALL.iter().copied().find(|a| a.name() == name)
    }
}
