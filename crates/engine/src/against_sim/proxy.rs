//! A proxy before the simulator that lets so many connections through at once, as HAProxy, nginx and Envoy do. Deliberately looks into
//! nothing that passes: a connection is let through as a whole, or never reaches the server.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::Semaphore;
use tokometer_record::{Failure, FailureKind};
use tokometer_sim::Server;

/// A proxy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proxy {
    /// The most connections that it lets through at once.
    pub(super) connections: usize,
    /// What becomes of those beyond.
    pub(super) beyond: Beyond,
}

/// What becomes of a connection beyond a proxy's limit.
#[derive(Clone, Copy, Debug)]
pub(super) enum Beyond {
    /// It is refused.
    Refused,
    /// It is accepted, and closed at once.
    Closed,
    /// It waits this long for another one to end. Then the proxy itself answers its request, and closes it.
    Answered { after: Duration, page: Page },
}

/// What a proxy says with status 503.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    content_type: &'static str,
    body: &'static str,
}

/// Envoy, when a cluster has as many connections as its circuit breaker allows.
pub(super) const ENVOY: Page = Page {
    content_type: "text/plain",
    body: "upstream connect error or disconnect/reset before headers. reset reason: overflow",
};

/// nginx, when `limit_conn` allows no more.
pub(super) const NGINX: Page = Page {
    content_type: "text/html",
    body: "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n\
           <center><h1>503 Service Temporarily Unavailable</h1></center>\r\n<hr><center>nginx</center>\r\n\
           </body>\r\n</html>\r\n",
};

/// HAProxy, when no connection to a server became free within `timeout queue`.
pub(super) const HAPROXY: Page = Page {
    content_type: "text/html",
    body: "<html><body><h1>503 Service Unavailable</h1>\n\
           No server is available to handle this request.\n</body></html>\n",
};

impl Proxy {
    /// Receives a connection, while there are so many `places` left to the server.
    pub(super) fn receive(
        self,
        server: &Arc<Server>,
        places: &Arc<Semaphore>,
    ) -> Result<DuplexStream, Failure> {
        let (client, own) = tokio::io::duplex(1 << 16);
        let (server, places) = (Arc::clone(server), Arc::clone(places));
        match (Arc::clone(&places).try_acquire_owned(), self.beyond) {
            (Ok(place), _) => {
                tokio::spawn(async move {
                    tokometer_sim::serve_connection(server, own).await;
                    drop(place);
                });
            }
            (Err(_), Beyond::Refused) => {
                return Err(Failure::new(
                    FailureKind::ConnectRefused,
                    "Connection refused (os error 111)",
                ));
            }
            (Err(_), Beyond::Closed) => {}
            (Err(_), Beyond::Answered { after, page }) => {
                tokio::spawn(async move {
                    match tokio::time::timeout(after, places.acquire_owned()).await {
                        Ok(place) => {
                            tokometer_sim::serve_connection(server, own).await;
                            drop(place);
                        }
                        Err(_) => page.answer(own).await,
                    }
                });
            }
        }
        Ok(client)
    }
}

impl Page {
    /// Answers the first request of a connection, and closes it.
    async fn answer(self, mut connection: DuplexStream) {
        let mut request = [0; 1 << 10];
        // A connection that asks nothing is closed as well.
        let _ = connection.read(&mut request).await;
        let response = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{}",
            self.content_type,
            self.body.len(),
            self.body
        );
        // A client that is gone reads nothing.
        let _ = connection.write_all(response.as_bytes()).await;
        // What is left of the request is read until the client closes, so that it can write all of it.
        let _ = connection.shutdown().await;
        while connection.read(&mut request).await.is_ok_and(|read| read > 0) {}
    }
}
