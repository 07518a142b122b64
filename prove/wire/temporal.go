package wire

import (
	"bytes"
	"context"
	"net"
	"path"
	"strings"
	"sync/atomic"

	"go.temporal.io/api/proxy"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// maxMessage is more than Temporal takes.
const maxMessage = 128 << 20

// TemporalProxy passes a process's calls on to Temporal. Its moments are the calls
// that change something about a journey, and the tasks that are handed out.
type TemporalProxy struct {
	Process string
	Tap     *Tap
	Target  string // host:port of the server
	// Of says whether a workflow, by its id, is one whose moments count; nil: all.
	// Task tokens hold the id as it is.
	Of func(id []byte) bool

	server *grpc.Server
	client *grpc.ClientConn
	shut   atomic.Bool
	watch  atomic.Pointer[func(method string) (done func())]
}

// Serve answers calls until the listener is closed or Stop is called.
func (p *TemporalProxy) Serve(l net.Listener) error {
	client, err := grpc.NewClient(p.Target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return err
	}
	p.client = client
	service, err := proxy.NewWorkflowServiceProxyServer(proxy.WorkflowServiceProxyOptions{Client: workflowservice.NewWorkflowServiceClient(client)})
	if err != nil {
		return err
	}
	p.server = grpc.NewServer(grpc.UnaryInterceptor(p.pass), grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))
	workflowservice.RegisterWorkflowServiceServer(p.server, service)
	grpc_health_v1.RegisterHealthServer(p.server, &health{client: grpc_health_v1.NewHealthClient(client)})
	go func() { _ = p.server.Serve(l) }()
	return nil
}

// Stop ends every call.
func (p *TemporalProxy) Stop() {
	p.server.Stop()
	_ = p.client.Close()
}

// Watch is told of every call, when it begins and when it is done.
func (p *TemporalProxy) Watch(watch func(method string) (done func())) { p.watch.Store(&watch) }

// Shut refuses every call from now on, or takes them again.
func (p *TemporalProxy) Shut(shut bool) { p.shut.Store(shut) }

var errCut = status.Error(codes.Unavailable, "the connection was cut")

func (p *TemporalProxy) pass(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if p.shut.Load() {
		return nil, errCut
	}
	if headers, ok := metadata.FromIncomingContext(ctx); ok {
		ctx = metadata.NewOutgoingContext(ctx, headers)
	}
	name := path.Base(info.FullMethod)
	if watch := p.watch.Load(); watch != nil {
		defer (*watch)(name)()
	}
	m, counts := p.moment(name, request)
	if counts && p.Tap.meet(m) {
		return nil, errCut
	}
	answer, err := next(ctx, request)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(name, "Poll") {
		m, counts = p.moment(name, answer)
	}
	m.After = true
	if counts && p.Tap.meet(m) {
		return nil, errCut
	}
	return answer, nil
}

// moment says whether a call counts, and numbers it. Polls count by their answers.
func (p *TemporalProxy) moment(name string, message any) (Moment, bool) {
	var of []byte
	switch message := message.(type) {
	case *workflowservice.RespondQueryTaskCompletedRequest: // somebody looks
	case *workflowservice.PollWorkflowTaskQueueResponse:
		if message.GetQuery() == nil {
			of = message.GetTaskToken()
		}
	case *workflowservice.StartWorkflowExecutionRequest:
		of = []byte(message.GetWorkflowId())
	case *workflowservice.SignalWorkflowExecutionRequest:
		of = []byte(message.GetWorkflowExecution().GetWorkflowId())
	case *workflowservice.RequestCancelWorkflowExecutionRequest:
		of = []byte(message.GetWorkflowExecution().GetWorkflowId())
	case interface{ GetTaskToken() []byte }:
		of = message.GetTaskToken()
	}
	if len(bytes.TrimSpace(of)) == 0 || p.Of != nil && !p.Of(of) {
		return Moment{}, false
	}
	return p.Tap.count(p.Process, Temporal, name), true
}

type health struct {
	grpc_health_v1.UnimplementedHealthServer
	client grpc_health_v1.HealthClient
}

func (h *health) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return h.client.Check(ctx, r)
}
