//! The kinds of objects that an inventory holds.

use crate::control::store::Kind;

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// An account.
    Account,
    /// A VPC.
    Vpc,
    /// A subnet.
    VSwitch,
    /// An instance.
    Instance,
    /// An ENI.
    NetworkInterface,
}

impl ObjectKind {
    /// All of them; what refers to others comes after them.
    pub const ALL: [ObjectKind; 5] =
        [ObjectKind::Account, ObjectKind::Vpc, ObjectKind::VSwitch, ObjectKind::Instance, ObjectKind::NetworkInterface];

    /// The list of an inventory that holds them.
    #[must_use]
    pub const fn list(self) -> &'static str {
        match self {
            ObjectKind::Account => "Accounts",
            ObjectKind::Vpc => "Vpcs",
            ObjectKind::VSwitch => "VSwitches",
            ObjectKind::Instance => "Instances",
            ObjectKind::NetworkInterface => "NetworkInterfaces",
        }
    }

    /// The field with an object's id.
    #[must_use]
    pub const fn id_key(self) -> &'static str {
        match self {
            ObjectKind::Account => "AccountId",
            ObjectKind::Vpc => "VpcId",
            ObjectKind::VSwitch => "VSwitchId",
            ObjectKind::Instance => "InstanceId",
            ObjectKind::NetworkInterface => "NetworkInterfaceId",
        }
    }

    /// Their part of a path of the operations API.
    #[must_use]
    pub const fn collection(self) -> &'static str {
        match self {
            ObjectKind::Account => "accounts",
            ObjectKind::Vpc => "vpcs",
            ObjectKind::VSwitch => "vswitches",
            ObjectKind::Instance => "instances",
            ObjectKind::NetworkInterface => "network-interfaces",
        }
    }

    /// What the OpenAPI document calls one of them.
    #[must_use]
    pub const fn schema(self) -> &'static str {
        match self {
            ObjectKind::Account => "Account",
            ObjectKind::Vpc => "Vpc",
            ObjectKind::VSwitch => "VSwitch",
            ObjectKind::Instance => "Instance",
            ObjectKind::NetworkInterface => "NetworkInterface",
        }
    }

    /// What people call one of them.
    #[must_use]
    pub const fn singular(self) -> &'static str {
        match self {
            ObjectKind::Account => "account",
            ObjectKind::Vpc => "VPC",
            ObjectKind::VSwitch => "vSwitch",
            ObjectKind::Instance => "instance",
            ObjectKind::NetworkInterface => "ENI",
        }
    }

    /// What the store calls them.
    #[must_use]
    pub const fn stored(self) -> Kind {
        match self {
            ObjectKind::Account => Kind::Account,
            ObjectKind::Vpc => Kind::Vpc,
            ObjectKind::VSwitch => Kind::VSwitch,
            ObjectKind::Instance => Kind::Instance,
            ObjectKind::NetworkInterface => Kind::NetworkInterface,
        }
    }

    /// The kind that the store calls so.
    #[must_use]
    pub fn of_stored(kind: Kind) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.stored() == kind)
    }
}
