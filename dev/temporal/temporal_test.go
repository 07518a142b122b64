package temporal_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"scrip.dev/scrip/dev/temporal"
	"scrip.dev/scrip/dev/temporal/temporaltest"
)

func dial(t *testing.T, s *temporal.Server) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{HostPort: s.Address})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestStart_KeepsWorkflowsAndItsNamespaceBetweenRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := temporaltest.Start(t, dir, 0)
	run, err := dial(t, first).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "kept", TaskQueue: "nobody",
		SearchAttributes: map[string]any{"ScripCampaign": "cart-recovery", "ScripVersion": 3}, //nolint:staticcheck // the typed form needs a workflow package
	}, "Journey")
	require.NoError(t, err)
	require.NoError(t, first.Stop())
	require.FileExists(t, filepath.Join(dir, "temporal-"+temporal.Version+".db"))

	c := dial(t, temporaltest.Start(t, dir, 0))
	kept, err := c.DescribeWorkflowExecution(t.Context(), "kept", run.GetRunID())
	require.NoError(t, err)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, kept.GetWorkflowExecutionInfo().GetStatus())

	attributes, err := c.OperatorService().ListSearchAttributes(t.Context(),
		&operatorservice.ListSearchAttributesRequest{Namespace: temporal.Namespace})
	require.NoError(t, err)
	require.Subset(t, attributes.GetCustomAttributes(), temporal.SearchAttributes)
	namespace, err := c.WorkflowService().DescribeNamespace(t.Context(),
		&workflowservice.DescribeNamespaceRequest{Namespace: temporal.Namespace})
	require.NoError(t, err)
	require.Equal(t, 72*time.Hour, namespace.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration())
}

func TestStart_ShowsTheWebUI(t *testing.T) {
	t.Parallel()
	s, err := temporal.StartOwn(t.Context(), temporal.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop() })
	require.Eventually(t, func() bool {
		answer, err := http.Get(s.UIURL)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, 20*time.Second, 50*time.Millisecond)
}

func TestStart_NamesATakenPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = temporal.StartOwn(t.Context(), temporal.Options{Dir: t.TempDir(), UIPort: port, UIPortSetting: "--temporal-ui-port"})
	require.ErrorContains(t, err, "port "+strconv.Itoa(port)+" is taken")
	require.ErrorContains(t, err, "--temporal-ui-port")
}

func TestCLI_SaysWhereItCanBeBuilt(t *testing.T) {
	t.Setenv("TEMPORAL_CLI", "")
	t.Setenv("PATH", t.TempDir())
	t.Chdir(os.TempDir())
	_, err := temporal.CLI(t.Context(), nil)
	require.ErrorContains(t, err, "inside a checkout of Scrip")
	require.ErrorContains(t, err, "TEMPORAL_ADDRESS")
}
