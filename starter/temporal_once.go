package starter

import (
	"context"
	"fmt"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"scrip.dev/scrip/store"
)

type requestKey struct{}

// asRequestOf names the signal that ctx sends after its row. Temporal takes a
// request of one id once, so that a signal of which nobody knows whether it arrived
// can be sent again: a journey must not skip two steps because it was told twice.
func asRequestOf(ctx context.Context, row store.OutboxRow) context.Context {
	// Ids may begin again after a database was restored; times don't.
	return context.WithValue(ctx, requestKey{}, fmt.Sprintf("outbox-%d-%d", row.ID, row.CreatedAt.UnixNano()))
}

// SignalOnce makes a connection to Temporal heed asRequestOf: the SDK has no way of
// its own to name a signal's request.
func SignalOnce() grpc.DialOption {
	return grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, next grpc.UnaryInvoker, options ...grpc.CallOption) error {
		if signal, ok := request.(*workflowservice.SignalWorkflowExecutionRequest); ok {
			if id, ok := ctx.Value(requestKey{}).(string); ok {
				signal.RequestId = id
			}
		}
		return next(ctx, method, request, reply, conn, options...)
	})
}
