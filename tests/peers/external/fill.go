package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

const region = "eu-central-1"

// fill starts instances of several shapes, and writes cases with filters that tell them apart.
func fill(endpoint, seedText, countText, path string) error {
	seed, count, err := numbers(seedText, countText)
	if err != nil {
		return err
	}
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	client := ec2.New(ec2.Options{
		Region:       region,
		BaseEndpoint: &endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
	ctx := context.Background()
	subnets, err := networks(ctx, client)
	if err != nil {
		return err
	}
	images, err := client.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"amazon"}})
	if err != nil {
		return fmt.Errorf("cannot list images: %w", err)
	}
	// More than the server's page of a hundred reservations.
	for i := range 120 {
		image := images.Images[g.IntN(len(images.Images))].ImageId
		if err := g.start(ctx, client, subnets, image, i); err != nil {
			return err
		}
	}
	var cases []any
	for range count {
		sd := map[string]any{
			"endpoint": endpoint, "region": region, "port": 9100, "filters": g.filters(), "refresh_interval": "1h",
			"access_key": "AKIDEXAMPLE", "secret_key": "secret",
		}
		if g.chance(20) {
			sd["region"] = "us-east-1"
		}
		cases = append(cases, map[string]any{"ec2_sd_configs": []any{sd}})
	}
	return writeCases(path, cases)
}

func networks(ctx context.Context, client *ec2.Client) ([]string, error) {
	var subnets []string
	for _, block := range []string{"10.1", "10.2"} {
		vpc, err := client.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String(block + ".0.0/16")})
		if err != nil {
			return nil, fmt.Errorf("cannot create a vpc: %w", err)
		}
		for i, zone := range []string{"a", "b"} {
			subnet, err := client.CreateSubnet(ctx, &ec2.CreateSubnetInput{
				VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String(fmt.Sprintf("%s.%d.0/24", block, i)), AvailabilityZone: aws.String(region + zone),
			})
			if err != nil {
				return nil, fmt.Errorf("cannot create a subnet: %w", err)
			}
			subnets = append(subnets, *subnet.Subnet.SubnetId)
		}
	}
	return subnets, nil
}

func (g generator) start(ctx context.Context, client *ec2.Client, subnets []string, image *string, i int) error {
	input := &ec2.RunInstancesInput{
		ImageId: image, MinCount: aws.Int32(1), MaxCount: aws.Int32(int32(1 + g.IntN(2))),
		InstanceType: types.InstanceType(g.one("t3.micro", "m5.large")),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{
			{Key: aws.String("team"), Value: aws.String(g.one("a", "b", "c d"))},
			{Key: aws.String(g.one("app/x", "é", "Name")), Value: aws.String(fmt.Sprint(i))},
		}}},
	}
	subnet := subnets[g.IntN(len(subnets))]
	if g.chance(2) {
		input.SubnetId = &subnet
	} else {
		input.NetworkInterfaces = []types.InstanceNetworkInterfaceSpecification{{
			DeviceIndex: aws.Int32(0), SubnetId: &subnet, AssociatePublicIpAddress: aws.Bool(g.chance(2)),
		}}
	}
	if g.chance(6) {
		input.InstanceMarketOptions = &types.InstanceMarketOptionsRequest{MarketType: types.MarketTypeSpot}
	}
	started, err := client.RunInstances(ctx, input)
	if err != nil {
		return fmt.Errorf("cannot start an instance: %w", err)
	}
	instance := *started.Instances[0].InstanceId
	if g.chance(4) {
		if err := attach(ctx, client, instance, subnet, subnets[g.IntN(len(subnets))]); err != nil {
			return err
		}
	}
	switch g.IntN(10) {
	case 0:
		_, err = client.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{instance}})
	case 1:
		_, err = client.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{instance}})
	}
	return err
}

// attach gives an instance a second interface.
func attach(ctx context.Context, client *ec2.Client, instance, first, subnet string) error {
	created, err := client.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet})
	if err != nil {
		return fmt.Errorf("cannot create an interface beside one in %s: %w", first, err)
	}
	_, err = client.AttachNetworkInterface(ctx, &ec2.AttachNetworkInterfaceInput{
		DeviceIndex: aws.Int32(1), InstanceId: &instance, NetworkInterfaceId: created.NetworkInterface.NetworkInterfaceId,
	})
	return err
}

func (g generator) filters() []any {
	filter := func(name string, values ...string) any { return map[string]any{"name": name, "values": values} }
	all := []any{
		filter("tag:team", g.one("a", "c d", "none")),
		filter("tag:team", "a", "b"),
		filter("instance-state-name", "running"),
		filter("instance-state-name", "running", "stopped", "terminated"),
		filter("instance-type", "m5.large"),
		filter("availability-zone", region+"a"),
		filter("tag-key", "Name"),
		filter("no-such-filter", "x"),
	}
	var chosen []any
	for range g.IntN(3) {
		chosen = append(chosen, all[g.IntN(len(all))])
	}
	if g.chance(15) {
		chosen = append(chosen, filter("tag:team"))
	}
	return chosen
}
