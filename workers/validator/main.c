/* main.c — assay-validator: the only program that talks to the outside. It proves control of names
 * and checks CAA. */
#include "workers/validator/validator.h"

int main(int argc, char **argv)
{
	return worker_main(argc, argv, &validator_ops);
}
