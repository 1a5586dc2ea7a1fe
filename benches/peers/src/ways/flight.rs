//! Arrow Flight over the loopback device: the receiver serves, and all tables go by one `DoPut`, each of which it answers.
//!
//! Messages are as long as the library makes them (about 2 MB), so a large table comes in pieces. Both ends run on one thread,
//! as each process has one core; the windows of HTTP/2 are wide enough for a table under way.

use crate::way::{Arrival, Receiver, Sender, Terms};
use arrow_array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightClient, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use arrow_schema::SchemaRef;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use qadataswap_benches::rings::Failure;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

/// How much of a table may be under way before the receiver has to say that it has room.
const WINDOW: u32 = 16 << 20;
/// The longest part of it in one piece.
const FRAME: u32 = 1 << 20;

fn one_thread() -> std::io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

/// The end that puts.
pub(crate) struct Sending {
    runtime: Runtime,
    schema: SchemaRef,
    tables: Option<UnboundedSender<Result<RecordBatch, FlightError>>>,
    answers: BoxStream<'static, Result<PutResult, FlightError>>,
}

impl Sending {
    /// One that knows nobody yet.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Sending, Failure> {
        let answers = futures::stream::empty().boxed();
        Ok(Sending { runtime: one_thread()?, schema: terms.batch.schema(), tables: None, answers })
    }
}

impl Sender for Sending {
    fn meet(&mut self, told: &str) -> Result<(), Failure> {
        let endpoint = Endpoint::from_shared(format!("http://{told}"))?
            .tcp_nodelay(true)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW);
        let (tables, stream) = unbounded_channel();
        let data = FlightDataEncoderBuilder::new()
            .with_schema(self.schema.clone())
            .build(UnboundedReceiverStream::new(stream));
        self.answers = self.runtime.block_on(async {
            let mut client = FlightClient::new(endpoint.connect().await?);
            Ok::<_, Failure>(client.do_put(data).await?)
        })?;
        self.tables = Some(tables);
        Ok(())
    }

    fn send(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.tables.as_ref().ok_or("nobody is there")?.send(Ok(batch.clone()))?;
        // Nothing goes out but here: until the other has all of it.
        self.runtime.block_on(self.answers.next()).ok_or("no answer any more")??;
        Ok(())
    }
}

/// The end that serves.
pub(crate) struct Receiving {
    runtime: Runtime,
    tables: UnboundedReceiver<Result<Vec<RecordBatch>, FlightError>>,
    address: SocketAddr,
}

impl Receiving {
    /// A server.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Receiving, Failure> {
        let runtime = one_thread()?;
        let (sender, tables) = unbounded_channel();
        let within = runtime.enter();
        let incoming = TcpIncoming::bind((Ipv4Addr::LOCALHOST, 0).into())?.with_nodelay(Some(true));
        let address = incoming.local_addr()?;
        let service = Service { tables: sender, rows: terms.batch.num_rows() };
        let server = Server::builder()
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_frame_size(FRAME)
            .add_service(FlightServiceServer::new(service).max_decoding_message_size(usize::MAX));
        runtime.spawn(server.serve_with_incoming(incoming));
        drop(within);
        Ok(Receiving { runtime, tables, address })
    }
}

impl Receiver for Receiving {
    fn told(&self) -> String {
        self.address.to_string()
    }

    fn receive(&mut self) -> Result<Arrival, Failure> {
        Ok(Arrival::Pieces(self.runtime.block_on(self.tables.recv()).ok_or("the server has ended")??))
    }

    fn leave(&mut self) -> Result<(), Failure> {
        // The answer to the last table goes out; then the sender drops its end.
        match self.runtime.block_on(self.tables.recv()) {
            None | Some(Err(_)) => Ok(()),
            Some(Ok(_)) => Err("one table too many".into()),
        }
    }
}

/// What the server does: it hands over each table when all its rows are there, and answers.
struct Service {
    tables: UnboundedSender<Result<Vec<RecordBatch>, FlightError>>,
    rows: usize,
}

impl Service {
    fn take(&self, data: Streaming<FlightData>) -> UnboundedReceiver<Result<PutResult, Status>> {
        let (answers, answered) = unbounded_channel();
        let (tables, rows) = (self.tables.clone(), self.rows);
        tokio::spawn(async move {
            let mut stream = FlightRecordBatchStream::new_from_flight_data(data.map_err(FlightError::from));
            let (mut pieces, mut come) = (Vec::new(), 0);
            while let Some(piece) = stream.next().await {
                let whole = piece.map(|piece| {
                    come += piece.num_rows();
                    pieces.push(piece);
                    (come == rows).then(|| {
                        come = 0;
                        std::mem::take(&mut pieces)
                    })
                });
                let gone = match whole.transpose() {
                    None => continue,
                    Some(whole) => {
                        tables.send(whole).is_err() || answers.send(Ok(PutResult::default())).is_err()
                    }
                };
                if gone {
                    return;
                }
            }
            // If nobody takes tables any more, nobody needs to know that none will come.
            let _ = tables.send(Err(FlightError::protocol("the sender has gone")));
        });
        answered
    }
}

/// What no measurement asks for.
fn refused<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("tables are put here, and nothing else"))
}

#[tonic::async_trait]
impl FlightService for Service {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = UnboundedReceiverStream<Result<PutResult, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        Ok(Response::new(UnboundedReceiverStream::new(self.take(request.into_inner()))))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        refused()
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        refused()
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        refused()
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        refused()
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        refused()
    }

    async fn do_get(&self, _: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        refused()
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        refused()
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        refused()
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        refused()
    }
}
