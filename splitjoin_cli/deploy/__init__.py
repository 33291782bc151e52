"""The CloudFormation of the join on AWS, made from typed values: what ``splitjoin template`` prints."""
