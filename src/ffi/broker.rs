//! The broker of the load balancer.

use std::ffi::c_char;
use std::sync::Arc;

use super::bytes::{give_text, place, place_or_none, text};
use super::event::{dividere_event_t, event_for_c};
use super::guard::{guard, guard_closing};
use super::handle::{close, find, insert, Use};
use super::options::{dividere_options_t, options_or_default};
use super::socket::{dividere_statistics_t, statistics_for_c};
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::connection::socket::Socket;
use crate::error::{Error, Result, Status};
use crate::messaging::balancing::{Broker, BrokerSide};

/// One of the sockets of a broker.
#[repr(i32)]
pub enum dividere_broker_side {
    /// Where clients connect to.
    Front = 1,
    /// Where workers connect to.
    Back = 2,
}

/// Hands the requests of clients to workers, from its making to its close, on a thread of its own. A request goes to
/// the worker that has the least to do and has been idle for longest, waits where none is free, and is answered once.
/// Compatible with clients and workers of dividere 2.2.0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_broker_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// How a broker stands, and what it counted since it was made; exact at one moment.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_broker_statistics_t {
    /// Workers that are there.
    pub workers: u64,
    /// Of these, those that have nothing to do.
    pub idle_workers: u64,
    /// Requests that wait for a worker.
    pub queued: u64,
    /// Requests that a worker has.
    pub working: u64,
    /// Requests that a worker answered.
    pub served: u64,
    /// Times that a request was handed to another worker, because the one before did not answer.
    pub retried: u64,
    /// Requests that found the queue full.
    pub refused: u64,
    /// Requests that were lost with their worker, or kept by it for too long, and not handed to another.
    pub failed: u64,
    /// Requests that nobody waited for any more when their turn came.
    pub expired: u64,
    /// Answers that nobody waited for any more: of a worker that was given up, or a second one.
    pub late: u64,
    /// For counters to come; 0.
    pub reserved: [u64; 6],
}

/// Makes a broker that binds to the endpoints of its front end, for clients, and of its back end, for workers, each a
/// comma-separated list (">" in front connects). NULL options are the defaults; they are for both its sockets. Fails
/// as dividere_publisher_new.
///
/// Its client is a request (dividere_request_call): with retries a request may be repeated, and is handed to another
/// worker where the first one dies. The call returns BUSY where the queue is full, and UNREACHABLE where the worker is
/// gone and the request may not be repeated: whether it was served is not known then.
#[no_mangle]
pub unsafe extern "C" fn dividere_broker_new(
    front: *const c_char,
    back: *const c_char,
    options: *const dividere_options_t,
    broker: *mut dividere_broker_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(broker, dividere_broker_t { id: 0 }, "broker")?;
        let made = Broker::new(text(front, "front")?, text(back, "back")?, &options_or_default(options))?;
        place.set(dividere_broker_t { id: insert(made)? });
        Ok(())
    })
}

/// Stops a broker, within 50 ms, and closes its sockets: their addresses are free again when this returns. Requests
/// that wait for a worker, or for its answer, are answered with UNREACHABLE.
#[no_mangle]
pub extern "C" fn dividere_broker_close(broker: dividere_broker_t) -> dividere_status_t {
    guard_closing(|| close::<Broker>(broker.id))
}

/// How it stands now.
#[no_mangle]
pub unsafe extern "C" fn dividere_broker_statistics(
    broker: dividere_broker_t,
    statistics: *mut dividere_broker_statistics_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(statistics, "statistics")?;
        let counts = find::<Broker>(broker.id)?.statistics()?;
        place.set(dividere_broker_statistics_t {
            workers: counts.workers,
            idle_workers: counts.idle_workers,
            queued: counts.queued,
            working: counts.working,
            served: counts.served,
            retried: counts.retried,
            refused: counts.refused,
            failed: counts.failed,
            expired: counts.expired,
            late: counts.late,
            reserved: [0; 6],
        });
        Ok(())
    })
}

/// Waits until `count` workers are there. TIMEOUT, or WOULD_BLOCK where the timeout is 0, while they are fewer.
#[no_mangle]
pub extern "C" fn dividere_broker_wait_workers(
    broker: dividere_broker_t,
    count: u64,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<Broker>(broker.id)?.wait_workers(count, Deadline::from_ms(timeout_ms)))
}

/// Waits until the broker has ended. OK where it was closed meanwhile; where one of its own threads failed, what went
/// wrong: it is closed then, and so is all that it was bound to, but its handle is still to be closed. TIMEOUT, or
/// WOULD_BLOCK where the timeout is 0, while it runs. To be told that nobody is served any more, on a thread of yours.
#[no_mangle]
pub extern "C" fn dividere_broker_wait_ended(broker: dividere_broker_t, timeout_ms: i64) -> dividere_status_t {
    guard(|| find::<Broker>(broker.id)?.wait_ended(Deadline::from_ms(timeout_ms)))
}

/// The endpoint that a side (DIVIDERE_BROKER_SIDE_FRONT or ..._BACK) is bound to, the last one where there are several;
/// into `buffer` of `size` bytes, its whole length into `length`, which may be NULL. NOT_FOUND where it is bound to
/// none.
#[no_mangle]
pub unsafe extern "C" fn dividere_broker_last_endpoint(
    broker: dividere_broker_t,
    side: i32,
    buffer: *mut c_char,
    size: usize,
    length: *mut usize,
) -> dividere_status_t {
    guard(|| {
        let broker: Use<Broker> = find(broker.id)?;
        socket_of(&broker, side)?;
        let endpoint = broker.last_endpoint(side_of(side)?)?;
        give_text(&endpoint, buffer, size, length)
    })
}

/// What the connections of a side counted so far.
#[no_mangle]
pub unsafe extern "C" fn dividere_broker_side_statistics(
    broker: dividere_broker_t,
    side: i32,
    statistics: *mut dividere_statistics_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(statistics, "statistics")?;
        let broker: Use<Broker> = find(broker.id)?;
        place.set(statistics_for_c(&socket_of(&broker, side)?.statistics()?));
        Ok(())
    })
}

/// Takes the oldest event of a side's connections, or waits for one. The last 1024 are kept.
#[no_mangle]
pub unsafe extern "C" fn dividere_broker_event_recv(
    broker: dividere_broker_t,
    side: i32,
    event: *mut dividere_event_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(event, "event")?;
        let events = Arc::clone(&socket_of(&*find(broker.id)?, side)?.events);
        place.set(event_for_c(&events.recv(timeout_ms)?));
        Ok(())
    })
}

fn side_of(side: i32) -> Result<BrokerSide> {
    [BrokerSide::Front, BrokerSide::Back]
        .into_iter()
        .find(|known| *known as i32 == side)
        .ok_or_else(|| {
            Error::new(
                Status::InvalidArgument,
                format!("{side} is no side of a broker: 1 (front) and 2 (back) are"),
            )
        })
}

fn socket_of(broker: &Broker, side: i32) -> Result<Arc<Socket>> {
    let socket = broker.socket(side_of(side)?);
    socket.check()?;
    Ok(Arc::clone(socket))
}
