"""A ROS 2 node: images of a camera in, depth in metres and its camera_info out. It needs ROS 2 (rclpy, sensor_msgs).

python examples/06_ros2_depth_node.py --ros-args -p model:=runs/drive \\
    -r image:=/cam/image_rect -r camera_info:=/cam/camera_info
"""

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

import selfdepth
from selfdepth.data.readers.pixel_formats import rgb_of_raw
from selfdepth.inference.ros_messages import depth_fields, robot_depth


class DepthNode(Node):
    def __init__(self) -> None:
        super().__init__("selfdepth")
        self.predictor = selfdepth.load(self.declare_parameter("model", "runs/drive").value)
        if self.predictor.scale == "relative":  # a robot would take it for metres
            raise SystemExit("the depth of this model is relative: run selfdepth calibrate first")
        self.info = None
        # Of a queue of one, the newest frame is left when the last one is done. A camera sends at best effort.
        sensor = QoSProfile(depth=1, history=QoSHistoryPolicy.KEEP_LAST, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        self.depth_topic = self.create_publisher(Image, "depth/image_rect", sensor)
        self.info_topic = self.create_publisher(CameraInfo, "depth/camera_info", sensor)
        self.create_subscription(CameraInfo, "camera_info", self.keep_info, sensor)
        self.create_subscription(Image, "image", self.predict, sensor)

    def keep_info(self, info) -> None:
        self.info = info

    def predict(self, image) -> None:
        pixels = rgb_of_raw(
            np.frombuffer(image.data, np.uint8),
            encoding=image.encoding,
            size=(image.width, image.height),
            step=image.step,
            big_endian=bool(image.is_bigendian),
            where=image.header.frame_id,
        )
        depth = robot_depth(self.predictor.predict(pixels))
        self.depth_topic.publish(Image(header=image.header, **depth_fields(depth)))
        if self.info is not None:  # depth has the pixels of the image, so the image's camera is its own
            self.info.header = image.header
            self.info_topic.publish(self.info)


def main() -> None:
    rclpy.init()
    rclpy.spin(DepthNode())


if __name__ == "__main__":
    main()
