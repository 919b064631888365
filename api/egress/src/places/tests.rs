use super::*;

const ALL: usize = 32;
const OF_TENANT: usize = 4;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn tenant(number: usize) -> Uuid {
    Uuid::from_u128(number as u128)
}

/// As many places as a tenant gets at once, without a wait.
async fn at_once(places: &Arc<Places>, tenant: Uuid) -> Vec<Place> {
    let mut all = Vec::new();
    while let Ok(Ok(place)) = tokio::time::timeout(Duration::ZERO, places.take(tenant, soon())).await {
        all.push(place);
    }
    all
}

#[tokio::test]
async fn a_tenant_holds_no_more_than_its_places_and_others_find_theirs() {
    let places = Places::new(ALL, OF_TENANT);
    let hanging = at_once(&places, tenant(1)).await;
    assert_eq!(hanging.len(), OF_TENANT);
    assert_eq!(at_once(&places, tenant(2)).await.len(), OF_TENANT);
    let now = Instant::now();
    assert_eq!(places.take(tenant(1), now).await.unwrap_err(), Overload::NoPlace);
    drop(hanging);
    assert_eq!(at_once(&places, tenant(1)).await.len(), OF_TENANT);
}

#[tokio::test]
async fn the_fuller_it_is_the_less_a_tenant_gets() {
    let places = Places::new(ALL, OF_TENANT);
    let mut held = Vec::new();
    for number in 0.. {
        let its = at_once(&places, tenant(number)).await;
        if its.is_empty() {
            // Without the rule the ninth would find nothing.
            assert!(number >= 2 * ALL / OF_TENANT, "only {number} tenants found a place");
            break;
        }
        assert!(its.len() <= OF_TENANT);
        held.push(its);
    }
    assert_eq!(held.iter().map(Vec::len).sum::<usize>(), ALL);
    assert_eq!(held.last().unwrap().len(), 1);
}

#[tokio::test]
async fn a_single_tenant_leaves_a_place_free_however_few_there_are() {
    for all in 2..=8 {
        let places = Places::new(all, all);
        let its = at_once(&places, tenant(1)).await;
        assert!(its.len() < all, "{all}");
        assert!(!at_once(&places, tenant(2)).await.is_empty(), "{all}");
    }
    assert_eq!(at_once(&Places::new(1, 1), tenant(1)).await.len(), 1);
}

#[tokio::test]
async fn those_that_wait_go_in_turns_of_tenants() {
    let places = Places::new(1, 1);
    let first = places.take(tenant(0), soon()).await.unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    // One tenant has three calls before the other has one.
    for number in [1, 1, 1, 2] {
        let (places, order) = (Arc::clone(&places), Arc::clone(&order));
        waiting.push(tokio::spawn(async move {
            let place = places.take(tenant(number), soon()).await.unwrap();
            order.lock().unwrap().push(number);
            drop(place);
        }));
        tokio::task::yield_now().await;
    }
    drop(first);
    for waiting in waiting {
        waiting.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [1, 2, 1, 1]);
}

#[tokio::test]
async fn whoever_gave_up_waiting_keeps_no_place() {
    let places = Places::new(1, 1);
    let first = places.take(tenant(0), soon()).await.unwrap();
    let gone = Box::pin(places.take(tenant(1), soon()));
    assert!(tokio::time::timeout(Duration::ZERO, gone).await.is_err());
    // This one is given the place, and is dropped before it looks.
    let mut late = Box::pin(places.take(tenant(2), soon()));
    assert!(tokio::time::timeout(Duration::ZERO, &mut late).await.is_err());
    drop(first);
    drop(late);
    let free = tokio::time::timeout(Duration::ZERO, places.take(tenant(3), soon())).await;
    assert!(free.is_ok());
    drop(free);
    assert!(places.held().tenants.is_empty() && places.held().turns.is_empty());
}

#[tokio::test]
async fn no_more_wait_than_may() {
    let places = Places::new(1, 1);
    let _first = places.take(tenant(0), soon()).await.unwrap();
    let mut waiting = Vec::new();
    for number in 0..WAITING_MAX {
        let mut waits = Box::pin(places.take(tenant(1 + number / WAITING_OF_TENANT_MAX), soon()));
        assert!(tokio::time::timeout(Duration::ZERO, &mut waits).await.is_err());
        waiting.push(waits);
        if number + 1 == WAITING_OF_TENANT_MAX {
            assert_eq!(places.take(tenant(1), soon()).await.unwrap_err(), Overload::TenantWaits);
        }
    }
    assert_eq!(places.take(tenant(99), soon()).await.unwrap_err(), Overload::AllWait);
}
