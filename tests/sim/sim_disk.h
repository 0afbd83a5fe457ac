#ifndef SIM_DISK_H
#define SIM_DISK_H
#endif
