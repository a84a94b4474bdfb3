//! Two whole exchanges with every frame in order (section 5.3).

use super::json::{Json, object};
use super::world::{ALICE, BOB, World};
use openpeer_core::document::Name;
use openpeer_core::peer::{Event, Input, KnockId, RequestId, Target};
use openpeer_core::uri::{Address, Domain};

/// A first contact by name, and the same two people meeting again.
pub(crate) fn files() -> [Json; 2] {
    let mut world = World::new();
    for (who, request) in [(ALICE, 1), (BOB, 2)] {
        world.tell(who, Input::Start);
        claim_name(&mut world, who, RequestId(request));
    }
    let setup = world.take_log();
    let knock = first_contact(&mut world);
    let first = object! {
        "about": "Alice knocks at bob@b.test; he accepts and finds her; the link opens",
        "secrets": world.secrets(),
        "setup": setup,
        "exchange": knock,
    };
    hang_up(&mut world);
    let contact = meet_again(&mut world);
    let second = object! {
        "about": "The same two, half a minute after their link ended: Alice finds her contact bob",
        "secrets": world.secrets(),
        "exchange": contact,
    };
    [first, second]
}

fn claim_name(world: &mut World, who: usize, request: RequestId) {
    let name = Name::from_text(world.person(who).name).unwrap();
    let domain = Domain::from_text(["a.test", "b.test"][who]).unwrap();
    world.tell(who, Input::ClaimName { request, name, domain, invite: None });
    let events = world.take_events();
    assert!(events.iter().any(|(_, event)| matches!(event, Event::NameClaimed { .. })), "{events:?}");
    assert!(!events.iter().any(|(_, event)| matches!(event, Event::Alarm { .. })), "{events:?}");
}

fn first_contact(world: &mut World) -> Vec<Json> {
    let target = Target::Address(Address::from_text("bob@b.test").unwrap());
    let text = "We met in Z\u{fc}rich.".to_owned();
    world.tell(ALICE, Input::Connect { request: RequestId(3), target, text });
    let knock = received_knock(world);
    world.tell(BOB, Input::AcceptKnock { knock, request: RequestId(4) });
    check_open(world);
    world.take_log()
}

fn received_knock(world: &mut World) -> KnockId {
    let events = world.take_events();
    let knock = events.iter().find_map(|(_, event)| match event {
        Event::Knock { knock, .. } => Some(*knock),
        _ => None,
    });
    knock.unwrap_or_else(|| unreachable!("bob hears the knock: {events:?}"))
}

fn hang_up(world: &mut World) {
    // Long enough that documents may be shown again, short enough that the finder's connection stays warm.
    world.wait(20_000);
    let link = world.link(ALICE).unwrap();
    world.tell(ALICE, Input::CloseLink { link });
    world.wait(30_000);
    world.take_log();
    world.take_events();
}

fn meet_again(world: &mut World) -> Vec<Json> {
    let bob = world.person(BOB).peer();
    world.tell(
        ALICE,
        Input::Connect { request: RequestId(5), target: Target::Contact(bob), text: String::new() },
    );
    check_open(world);
    world.take_log()
}

/// Both users heard of the link, and nobody of anything odd.
fn check_open(world: &mut World) {
    let events = world.take_events();
    let open = events.iter().filter(|(_, event)| matches!(event, Event::LinkOpen { .. })).count();
    let odd =
        events.iter().any(|(_, event)| matches!(event, Event::Alarm { .. } | Event::RequestFailed { .. }));
    assert!(open == 2 && !odd, "{events:?}");
}
