"""The CloudFormation of the join on AWS."""
