package topic

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// The kinds of resources that rights are on, as kafka-acls.sh names them.
const (
	ACLTopic           = "topic"
	ACLGroup           = "group"
	ACLTransactionalID = "transactional-id"
)

// ACL allows a principal, "User:connector", operations on a resource, from any
// host. The operations have kafka-acls.sh's names: Read, Write, Create, Describe,
// Delete (of records too), DescribeConfigs.
type ACL struct {
	Principal  string   `json:"principal"`
	Resource   string   `json:"resource"`
	Name       string   `json:"name"`
	Prefixed   bool     `json:"prefixed"` // all resources whose name begins so
	Operations []string `json:"operations"`
}

var aclResources = map[string]kafka.ResourceType{
	ACLTopic: kafka.ResourceTypeTopic, ACLGroup: kafka.ResourceTypeGroup, ACLTransactionalID: kafka.ResourceTypeTransactionalID,
}

var aclOperations = map[string]kafka.ACLOperationType{
	"Read": kafka.ACLOperationTypeRead, "Write": kafka.ACLOperationTypeWrite, "Create": kafka.ACLOperationTypeCreate, "Delete": kafka.ACLOperationTypeDelete,
	"Describe": kafka.ACLOperationTypeDescribe, "DescribeConfigs": kafka.ACLOperationTypeDescribeConfigs,
}

// Allow adds rights; those that are there already stay. It returns when the broker
// that answers knows of them all: the controller tells the brokers a moment after
// it has answered. A cluster without an authorizer refuses it.
func (c *Client) Allow(ctx context.Context, acls ...ACL) error {
	request := &kafka.CreateACLsRequest{}
	for _, a := range acls {
		pattern := kafka.PatternTypeLiteral
		if a.Prefixed {
			pattern = kafka.PatternTypePrefixed
		}
		for _, operation := range a.Operations {
			request.ACLs = append(request.ACLs, kafka.ACLEntry{
				ResourceType: aclResources[a.Resource], ResourceName: a.Name, ResourcePatternType: pattern,
				Principal: a.Principal, Host: "*", Operation: aclOperations[operation], PermissionType: kafka.ACLPermissionTypeAllow,
			})
		}
	}
	response, err := c.kafka.CreateACLs(ctx, request)
	if err != nil {
		return fmt.Errorf("rights cannot be given: %w", err)
	}
	for _, err := range response.Errors {
		if err != nil {
			return fmt.Errorf("rights cannot be given: %w: does the cluster have an authorizer, and may this user alter it?", err)
		}
	}
	_, err = retry(ctx, c, func(ctx context.Context) (struct{}, error) {
		known, err := c.kafka.DescribeACLs(ctx, &kafka.DescribeACLsRequest{Filter: kafka.ACLFilter{
			ResourceTypeFilter: kafka.ResourceTypeAny, ResourcePatternTypeFilter: kafka.PatternTypeAny,
			Operation: kafka.ACLOperationTypeAny, PermissionType: kafka.ACLPermissionTypeAny,
		}})
		if err != nil {
			return struct{}{}, err
		}
		if known.Error != nil {
			return struct{}{}, known.Error
		}
		there := map[kafka.ACLEntry]bool{}
		for _, r := range known.Resources {
			for _, a := range r.ACLs {
				there[kafka.ACLEntry{ResourceType: r.ResourceType, ResourceName: r.ResourceName, ResourcePatternType: r.PatternType,
					Principal: a.Principal, Host: a.Host, Operation: a.Operation, PermissionType: a.PermissionType}] = true
			}
		}
		for _, want := range request.ACLs {
			if !there[want] {
				return struct{}{}, fmt.Errorf("the right of %s on %s was given but does not show: %w", want.Principal, want.ResourceName, kafka.BrokerNotAvailable)
			}
		}
		return struct{}{}, nil
	})
	return err
}
