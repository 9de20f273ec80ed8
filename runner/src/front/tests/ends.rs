//! Callers who leave, environments that end, and the stop.

use super::*;

#[tokio::test]
async fn an_order_that_nobody_answers_is_a_fault_of_the_service() {
    let mut house = House::open(Settings::default()).await;
    let call = house.call(INVOKE, "", "{}");
    drop(house.order().await);
    let heard = call.await.unwrap();
    assert_eq!((heard.status, heard.header("x-amzn-errortype")), (500, "ServiceException"));
    assert!(heard.text().contains(r#""Type":"Service""#));
    house.orders.close();
    assert_eq!(house.call(INVOKE, "", "{}").await.unwrap().status, 500);
}

#[tokio::test]
async fn an_order_that_a_stop_has_overtaken_is_for_another_server() {
    let mut house = House::open(Settings::default()).await;
    let call = house.call(INVOKE, "", "{}");
    house.order().await.reply.send(Reply::Stopped).unwrap();
    let heard = call.await.unwrap();
    assert_eq!((heard.status, heard.header("retry-after")), (503, "1"));
}

#[tokio::test]
async fn an_invocation_goes_on_without_its_caller_and_keeps_its_seat() {
    let mut house = House::open(Settings { queue: 0, ..Settings::default() }).await;
    let mut wire = Wire::open(house.address).await;
    wire.send(&format!("POST {INVOKE}"), "", b"1").await;
    let order = house.order().await;
    // A reset, which is noticed at once.
    wire.0.get_ref().set_zero_linger().unwrap();
    drop(wire);
    assert_eq!(house.call(INVOKE, "", "2").await.unwrap().status, 429);
    assert!(!order.reply.is_closed(), "its answer is still waited for");
    order.reply.send(text("1")).unwrap();
    let third = house.call(INVOKE, "", "3");
    house.order().await.reply.send(text("3")).unwrap();
    assert_eq!(third.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_stop_lets_answers_finish_and_nobody_in() {
    let mut house = House::open(Settings::default()).await;
    let mut idle = Wire::open(house.address).await;
    idle.send("GET /", "", b"").await;
    assert_eq!(idle.hear().await.unwrap().status, 200);
    let call = house.call(INVOKE, "", "{}");
    let order = house.order().await;
    house.stop();
    assert!(idle.hear().await.is_none(), "an idle connection is closed");
    assert!(TcpStream::connect(house.address).await.is_err());
    order.reply.send(text("1")).unwrap();
    let heard = call.await.unwrap();
    assert_eq!((heard.text(), heard.header("connection")), ("1", "close"));
    house.serving.await.unwrap();
}

#[tokio::test]
async fn who_is_dropped_after_the_stop_is_told_so() {
    let mut house = House::open(Settings::default()).await;
    let call = house.call(INVOKE, "", "{}");
    let order = house.order().await;
    let mut idle = Wire::open(house.address).await;
    house.stop();
    assert!(idle.hear().await.is_none());
    drop(order);
    assert_eq!(call.await.unwrap().status, 503);
}

#[tokio::test]
async fn serving_that_is_dropped_cuts_answers_off() {
    let mut house = House::open(Settings::default()).await;
    let mut wire = Wire::open(house.address).await;
    wire.send(&format!("POST {INVOKE}"), "", b"{}").await;
    let _order = house.order().await;
    house.serving.abort();
    assert!(wire.hear().await.is_none());
}
