//! Bank: opens accounts and carries out transfers, each in a transaction that credits the one
//! account and then debits the other. A transfer that would overdraw the account is rolled back.
//! Prints what was carried out, the balances, and their sum, which no transfer changes.

mod fjall;
mod heed;
mod ours;
mod redb;

use std::fmt;

use super::{Program, versions};

pub struct Bank {
    pub accounts: &'static [(&'static str, i64)],
    pub transfers: &'static [Transfer],
}

pub struct Transfer {
    pub from: &'static str,
    pub to: &'static str,
    pub amount: i64,
}

/// The third transfer can't be carried out, nor can the last one, by one unit.
pub const BANK: Bank = Bank {
    accounts: &[("ada", 100), ("bo", 50), ("cy", 0)],
    transfers: &[
        transfer("ada", "bo", 30),
        transfer("bo", "cy", 75),
        transfer("bo", "ada", 20),
        transfer("cy", "ada", 75),
        transfer("ada", "cy", 146),
    ],
};

const fn transfer(from: &'static str, to: &'static str, amount: i64) -> Transfer {
    Transfer { from, to, amount }
}

pub fn program() -> Program {
    Program {
        name: "bank",
        versions: versions!(&BANK),
    }
}

impl Transfer {
    /// What it changes, in this order.
    fn changes(&self) -> [(&'static str, i64); 2] {
        [(self.to, self.amount), (self.from, -self.amount)]
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} to {}", self.amount, self.from, self.to)
    }
}
