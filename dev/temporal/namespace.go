package temporal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"
)

// SearchAttributes are those that a journey's workflow is started with, by name
// and type.
var SearchAttributes = map[string]enums.IndexedValueType{
	"ScripCampaign": enums.INDEXED_VALUE_TYPE_KEYWORD,
	"ScripContact":  enums.INDEXED_VALUE_TYPE_KEYWORD,
	"ScripVersion":  enums.INDEXED_VALUE_TYPE_INT,
}

// SetUp makes the namespace where it is missing, and gives it Scrip's retention and
// search attributes. It changes nothing that is already so; the server's own flags
// would do this only for a new database.
func SetUp(ctx context.Context, address string) error {
	c, err := client.DialContext(ctx, client.Options{
		HostPort: address, Namespace: Namespace,
		Logger: log.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := retain(ctx, c.WorkflowService()); err != nil {
		return fmt.Errorf("setting the namespace's retention: %w", err)
	}
	if err := addSearchAttributes(ctx, c.OperatorService()); err != nil {
		return fmt.Errorf("adding search attributes: %w", err)
	}
	return nil
}

func retain(ctx context.Context, service workflowservice.WorkflowServiceClient) error {
	have, err := service.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: Namespace})
	if missing := new(serviceerror.NamespaceNotFound); errors.As(err, &missing) {
		_, err = service.RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: Namespace, WorkflowExecutionRetentionPeriod: durationpb.New(Retention),
		})
		return err
	}
	if err != nil || have.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration() == Retention {
		return err
	}
	_, err = service.UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: Namespace,
		Config:    &namespace.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(Retention)},
	})
	return err
}

func addSearchAttributes(ctx context.Context, service operatorservice.OperatorServiceClient) error {
	have, err := service.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: Namespace})
	if err != nil {
		return err
	}
	missing := map[string]enums.IndexedValueType{}
	for name, kind := range SearchAttributes {
		if _, ok := have.GetCustomAttributes()[name]; !ok {
			missing[name] = kind
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = service.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: Namespace, SearchAttributes: missing,
	})
	return err
}
